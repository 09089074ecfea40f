/** Argo CD's Application and AppProject, as far as the engine reads and writes them. */
import type { KubeObject } from "@travelops/kube";
import { customResource } from "@travelops/kube/client/resources";

export interface HelmSource {
  releaseName?: string;
  valueFiles?: string[];
  ignoreMissingValueFiles?: boolean;
  values?: string;
  valuesObject?: Record<string, unknown>;
  parameters?: { name?: string; value?: string; forceString?: boolean }[];
  fileParameters?: { name?: string; path?: string }[];
  skipCrds?: boolean;
  skipTests?: boolean;
  skipSchemaValidation?: boolean;
  version?: string;
  namespace?: string;
  kubeVersion?: string;
  apiVersions?: string[];
  passCredentials?: boolean;
}

export interface KustomizeSource {
  namePrefix?: string;
  nameSuffix?: string;
  images?: string[];
  commonLabels?: Record<string, string>;
  commonAnnotations?: Record<string, string>;
  labelWithoutSelector?: boolean;
  namespace?: string;
  replicas?: { name: string; count: number | string }[];
  components?: string[];
  patches?: Record<string, unknown>[];
  version?: string;
}

export interface DirectorySource {
  recurse?: boolean;
  include?: string;
  exclude?: string;
  jsonnet?: Record<string, unknown>;
}

export interface ApplicationSource {
  repoURL: string;
  path?: string;
  targetRevision?: string;
  chart?: string;
  ref?: string;
  helm?: HelmSource;
  kustomize?: KustomizeSource;
  directory?: DirectorySource;
  plugin?: Record<string, unknown>;
}

export interface Destination {
  server?: string;
  name?: string;
  namespace?: string;
}

export interface Backoff {
  duration?: string;
  factor?: number;
  maxDuration?: string;
}

export interface RetryStrategy {
  limit?: number;
  backoff?: Backoff;
}

export interface SyncPolicy {
  automated?: { enabled?: boolean; prune?: boolean; selfHeal?: boolean; allowEmpty?: boolean };
  syncOptions?: string[];
  retry?: RetryStrategy;
  managedNamespaceMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

export interface ResourceIgnoreDifferences {
  group?: string;
  kind: string;
  name?: string;
  namespace?: string;
  jsonPointers?: string[];
  jqPathExpressions?: string[];
  managedFieldsManagers?: string[];
}

export interface ApplicationSpec {
  project: string;
  destination: Destination;
  source?: ApplicationSource;
  sources?: ApplicationSource[];
  syncPolicy?: SyncPolicy;
  ignoreDifferences?: ResourceIgnoreDifferences[];
  revisionHistoryLimit?: number;
}

export interface SyncOperation {
  revision?: string;
  prune?: boolean;
  dryRun?: boolean;
  resources?: { group?: string; kind: string; name: string; namespace?: string }[];
  syncOptions?: string[];
  syncStrategy?: { apply?: { force?: boolean }; hook?: { force?: boolean } };
  source?: ApplicationSource;
  autoHealAttemptsCount?: number;
}

export interface Operation {
  sync?: SyncOperation;
  initiatedBy?: { username?: string; automated?: boolean };
  retry?: RetryStrategy;
  info?: { name: string; value: string }[];
}

export type OperationPhase = "Running" | "Succeeded" | "Failed" | "Error" | "Terminating";
export type HealthCode = "Healthy" | "Suspended" | "Progressing" | "Missing" | "Degraded" | "Unknown";
export type SyncCode = "Synced" | "OutOfSync" | "Unknown";
export type SyncPhase = "PreSync" | "Sync" | "PostSync" | "SyncFail";

/** One resource of an operation's result. */
export interface ResourceResult {
  group: string;
  version: string;
  kind: string;
  namespace: string;
  name: string;
  status?: "Synced" | "SyncFailed" | "Pruned" | "PruneSkipped";
  message?: string;
  hookType?: string;
  hookPhase?: OperationPhase;
  syncPhase?: SyncPhase;
}

export interface OperationState {
  operation: Operation;
  phase: OperationPhase;
  message?: string;
  startedAt: string;
  finishedAt?: string;
  retryCount?: number;
  syncResult?: { revision: string; source?: ApplicationSource; resources?: ResourceResult[] };
}

export interface ResourceStatus {
  group?: string;
  version?: string;
  kind: string;
  namespace?: string;
  name: string;
  status?: SyncCode;
  health?: { status?: HealthCode; message?: string };
  hook?: boolean;
  requiresPruning?: boolean;
  syncWave?: number;
}

export interface ApplicationCondition {
  type: string;
  message: string;
  lastTransitionTime?: string;
}

export interface HistoryEntry {
  id: number;
  revision: string;
  deployedAt: string;
  deployStartedAt?: string;
  source?: ApplicationSource;
  initiatedBy?: { username?: string; automated?: boolean };
}

export interface ApplicationStatus {
  sync?: {
    status: SyncCode;
    revision?: string;
    comparedTo?: {
      source?: ApplicationSource;
      destination: Destination;
      ignoreDifferences?: ResourceIgnoreDifferences[];
    };
  };
  health?: { status: HealthCode; message?: string; lastTransitionTime?: string };
  resources?: ResourceStatus[];
  conditions?: ApplicationCondition[];
  history?: HistoryEntry[];
  operationState?: OperationState;
  reconciledAt?: string;
  observedAt?: string;
  sourceType?: SourceType;
  summary?: { images?: string[]; externalURLs?: string[] };
  controllerNamespace?: string;
  resourceHealthSource?: string;
}

export type SourceType = "Helm" | "Kustomize" | "Directory" | "Plugin";

export interface Application extends KubeObject {
  spec: ApplicationSpec;
  status?: ApplicationStatus;
  operation?: Operation;
}

export interface AppProject extends KubeObject {
  spec: {
    sourceRepos?: string[];
    destinations?: Destination[];
    clusterResourceWhitelist?: { group: string; kind: string; name?: string }[];
    clusterResourceBlacklist?: { group: string; kind: string; name?: string }[];
    namespaceResourceWhitelist?: { group: string; kind: string }[];
    namespaceResourceBlacklist?: { group: string; kind: string }[];
  };
}

export const APPLICATIONS = customResource<Application>("argoproj.io", "v1alpha1", "applications", "Application", true);
export const APP_PROJECTS = customResource<AppProject>("argoproj.io", "v1alpha1", "appprojects", "AppProject", true);
