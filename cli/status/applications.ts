/** What an Argo CD Application says of itself, in one row. */
import type { KubeObject } from "@travelops/kube";
import { customResource } from "@travelops/kube/client/resources";

export const APPLICATIONS = customResource("argoproj.io", "v1alpha1", "applications", "Application", true);

/** Asks the engine to look again; gone once it has. */
export const REFRESH = "argocd.argoproj.io/refresh";

export const isAwaitingRefresh = (object: KubeObject): boolean => object.metadata.annotations?.[REFRESH] !== undefined;

export interface ApplicationRow {
  cluster: string;
  name: string;
  namespace: string;
  sync: string;
  health: string;
  revision: string;
  message: string;
}

interface ApplicationStatus {
  sync?: { status?: string; revision?: string };
  health?: { status?: string };
  conditions?: { type?: string; message?: string }[];
  operationState?: { phase?: string; message?: string; retryCount?: number };
}

export function applicationRow(cluster: string, object: KubeObject): ApplicationRow {
  const status = (object["status"] ?? {}) as ApplicationStatus;
  const fault = status.conditions?.find((condition) => condition.type?.endsWith("Error") === true)?.message;
  const { phase, message, retryCount = 0 } = status.operationState ?? {};
  const sync = status.sync?.status ?? "Unknown";
  const failed = phase === "Failed" || phase === "Error" || (phase === "Running" && retryCount > 0);
  return {
    cluster,
    name: object.metadata.name ?? "",
    namespace: object.metadata.namespace ?? "",
    sync,
    health: status.health?.status ?? "Unknown",
    revision: status.sync?.revision ?? "",
    // What failed on the way is past once Git and the cluster agree.
    message: fault ?? (failed && sync !== "Synced" ? message : undefined) ?? "",
  };
}

export const isDone = (row: ApplicationRow): boolean => row.sync === "Synced" && row.health === "Healthy";
