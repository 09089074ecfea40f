/** Pods that would like to outlive their cluster: they ignore SIGTERM and leave children in sessions of their own. */
import type { KubeClient, KubeObject } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { NAMESPACE } from "./writer.ts";

const DEPLOYMENTS: Resource = {
  group: "apps",
  version: "v1",
  resource: "deployments",
  kind: "Deployment",
  namespaced: true,
};
const NAMESPACES: Resource = {
  group: "",
  version: "v1",
  resource: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

interface Pod extends KubeObject {
  status?: {
    phase?: string;
    containerStatuses?: { ready: boolean; containerID?: string; restartCount: number }[];
  };
}
const PODS: Resource<Pod> = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };

export const REPLICAS = 2;

export async function createNamespace(client: KubeClient): Promise<void> {
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
}

const STUBBORN = `trap "" TERM HUP INT
setsid sh -c 'trap "" TERM HUP; while :; do sleep 1; done' "$0-child" &
while :; do sleep 1; done`;

/** `marker` stands on the command line of every process of the pods. */
export async function createWorkload(client: KubeClient, marker: string): Promise<void> {
  await createNamespace(client);
  const labels = { app: "stubborn" };
  await client.create(DEPLOYMENTS, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace: NAMESPACE, name: "stubborn" },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: "busybox", command: ["sh", "-c", STUBBORN, marker] }],
        },
      },
    },
  });
}

/** Ids of the containers that are ready, once all pods are and there is none too many; undefined before. */
export async function runningContainers(client: KubeClient): Promise<string[] | undefined> {
  const { items } = await client.list(PODS, { namespace: NAMESPACE });
  const ready = items.filter(
    (pod) => pod.status?.phase === "Running" && pod.status.containerStatuses?.every((one) => one.ready) === true,
  );
  if (items.length !== REPLICAS || ready.length !== REPLICAS) return undefined;
  return ready.flatMap((pod) => pod.status?.containerStatuses?.map((one) => one.containerID ?? "") ?? []);
}
