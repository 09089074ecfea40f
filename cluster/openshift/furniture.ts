/** OpenShift's furniture: what charts written for OpenShift look up. CRDs where missing, and the three objects that every cluster has. */
import crypto from "node:crypto";
import path from "node:path";
import {
  customResource,
  formatTime,
  isAlreadyExists,
  type Clock,
  type KubeClient,
  type KubeObject,
  type Resource,
} from "@travelops/kube";
import { installCrdFolder } from "../network/crds/install-crds.ts";

export const INFRASTRUCTURES = customResource("config.openshift.io", "v1", "infrastructures", "Infrastructure", false);
export const CONFIG_INGRESSES = customResource("config.openshift.io", "v1", "ingresses", "Ingress", false);
export const CLUSTER_VERSIONS = customResource("config.openshift.io", "v1", "clusterversions", "ClusterVersion", false);

/** The OpenShift release whose APIs the furniture follows. */
const OPENSHIFT_VERSION = "4.18.0";

export interface FurnitureOptions {
  readonly clusterName: string;
  /** `apps.CLUSTER.travelops.localhost`. */
  readonly appsDomain: string;
  /** The API server's address for users. */
  readonly apiServerURL: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** CRDs of Route, config.openshift.io and console.openshift.io. */
export const installOpenShiftCrds = (
  client: KubeClient,
  options: { clock: Clock; signal?: AbortSignal },
): Promise<void> => installCrdFolder(client, path.join(import.meta.dirname, "crds"), options);

/** Creates the objects where they are missing; those that exist stay as they are. */
export async function furnish(client: KubeClient, options: FurnitureOptions): Promise<void> {
  const { clusterName, appsDomain, apiServerURL, signal } = options;
  const now = formatTime(options.clock.now());
  await Promise.all([
    createWithStatus(
      client,
      INFRASTRUCTURES,
      "cluster",
      { platformSpec: { type: "None" } },
      infrastructureStatus(clusterName, apiServerURL),
      signal,
    ),
    createWithStatus(
      client,
      CONFIG_INGRESSES,
      "cluster",
      { domain: appsDomain },
      { defaultPlacement: "Workers" },
      signal,
    ),
    createWithStatus(
      client,
      CLUSTER_VERSIONS,
      "version",
      { clusterID: clusterId(clusterName), channel: "stable-4.18" },
      versionStatus(now),
      signal,
    ),
  ]);
}

const infrastructureStatus = (clusterName: string, apiServerURL: string): Record<string, unknown> => ({
  infrastructureName: clusterName,
  platform: "None",
  platformStatus: { type: "None" },
  apiServerURL,
  apiServerInternalURI: "https://kubernetes.default.svc:443",
  controlPlaneTopology: "SingleReplica",
  infrastructureTopology: "SingleReplica",
  cpuPartitioning: "None",
  etcdDiscoveryDomain: "",
});

const versionStatus = (now: string): Record<string, unknown> => ({
  desired: { version: OPENSHIFT_VERSION, image: `travelops/release:${OPENSHIFT_VERSION}` },
  history: [
    {
      state: "Completed",
      version: OPENSHIFT_VERSION,
      image: `travelops/release:${OPENSHIFT_VERSION}`,
      startedTime: now,
      completionTime: now,
      verified: false,
    },
  ],
  observedGeneration: 1,
  versionHash: "",
  availableUpdates: [],
  conditions: [
    {
      type: "Available",
      status: "True",
      lastTransitionTime: now,
      message: `Embedded cluster with the APIs of ${OPENSHIFT_VERSION}`,
    },
    { type: "Failing", status: "False", lastTransitionTime: now },
    {
      type: "Progressing",
      status: "False",
      lastTransitionTime: now,
      message: `Cluster version is ${OPENSHIFT_VERSION}`,
    },
  ],
});

/** A UUID that the name decides, so that a cluster made anew is the same to those who watch it. */
function clusterId(name: string): string {
  const hex = crypto.createHash("sha256").update(`travelops cluster ${name}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

async function createWithStatus(
  client: KubeClient,
  resource: Resource,
  name: string,
  spec: Record<string, unknown>,
  status: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const object: KubeObject = {
    apiVersion: `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata: { name },
    spec,
  };
  try {
    await client.create(resource, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const known = await client.get(resource, "", name, { signal });
    // Made by someone else, or by us in an earlier life that ended before the status was written.
    if (known["status"] !== undefined) return;
  }
  await client.patch(resource, "", name, "application/merge-patch+json", { status }, { subresource: "status", signal });
}
