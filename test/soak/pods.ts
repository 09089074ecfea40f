/** Pods by the dozen. */
import { isNotFound, type KubeClient } from "@travelops/kube";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { eventually } from "../api-under-test.ts";

const NAMESPACE = "default";

/** Each with a volume, two containers, a probe and limits: something of all that has to go again. */
export const soakPod = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: NAMESPACE, labels: { soak: "yes" } },
  spec: {
    terminationGracePeriodSeconds: 1,
    volumes: [
      { name: "disk", emptyDir: {} },
      { name: "memory", emptyDir: { medium: "Memory" } },
    ],
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & sleep 1000 & wait"],
        resources: { limits: { memory: "64Mi", cpu: "1" }, requests: { memory: "1Mi", cpu: "1m" } },
        volumeMounts: [
          { name: "disk", mountPath: "/disk" },
          { name: "memory", mountPath: "/memory" },
        ],
      },
      // Deaf to SIGTERM: it has to be killed.
      { name: "deaf", image: "busybox", command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"] },
    ],
  },
});

export async function createPods(client: KubeClient, prefix: string, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => client.create(PODS, soakPod(`${prefix}-${index}`))));
}

export const listPods = async (client: KubeClient): Promise<Pod[]> =>
  (await client.list(PODS, { namespace: NAMESPACE, labelSelector: "soak=yes" })).items as Pod[];

export const isUp = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

export async function untilUp(client: KubeClient, count: number, timeoutMs: number): Promise<Pod[]> {
  return eventually(async () => {
    const pods = await listPods(client);
    return pods.filter(isUp).length === count && pods;
  }, timeoutMs);
}

export async function deletePods(client: KubeClient, timeoutMs: number): Promise<void> {
  const pods = await listPods(client);
  await Promise.all(
    pods.map(async ({ metadata }) => {
      await client.delete(PODS, NAMESPACE, metadata.name ?? "").catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }),
  );
  await eventually(async () => (await listPods(client)).length === 0, timeoutMs);
}
