/** Stands in for nodes in tests: binds pods where no scheduler does, says that they run, and lets them go. */
import type { Informer, KubeClient, Pod } from "@travelops/kube";
import { createInformer, formatTime, isConflict, isNotFound, PODS, StatusError } from "@travelops/kube";

export interface FakeKubeletOptions {
  client: KubeClient;
  signal: AbortSignal;
  /** Binds unscheduled pods to this node. */
  bindTo?: string;
  /** What becomes of a pod; ready where absent. */
  outcome?: (pod: Pod) => "ready" | "running" | "pending" | "succeeded" | "failed";
}

let lastAddress = 1;

/** Runs until the signal aborts. */
export function startFakeKubelet(options: FakeKubeletOptions): { pods: Informer<Pod>; done: Promise<void> } {
  const pods = createInformer(options.client, PODS);
  pods.onEvent((event) => {
    if (event.type === "deleted") return;
    void act(options, event.object).catch((error: unknown) => {
      const over = isNotFound(error) || isConflict(error) || options.signal.aborted;
      if (!over && !(error instanceof StatusError)) throw error;
    });
  });
  return { pods, done: pods.run(options.signal) };
}

async function act(options: FakeKubeletOptions, pod: Pod): Promise<void> {
  const { namespace = "", name = "", uid } = pod.metadata;
  if (pod.metadata.deletionTimestamp !== undefined) {
    await options.client.delete(PODS, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
    return;
  }
  if ((pod.spec.nodeName ?? "") === "") {
    if (options.bindTo === undefined) return;
    await options.client.createSubresource(PODS, namespace, name, "binding", {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace },
      target: { apiVersion: "v1", kind: "Node", name: options.bindTo },
    });
    return;
  }
  const outcome = options.outcome?.(pod) ?? "ready";
  if (outcome === "pending" || pod.status?.phase !== "Pending") return;
  await options.client.patch(
    PODS,
    namespace,
    name,
    "application/merge-patch+json",
    { status: statusOf(pod, outcome) },
    { subresource: "status" },
  );
}

function statusOf(pod: Pod, outcome: "ready" | "running" | "succeeded" | "failed"): Pod["status"] {
  const now = formatTime(Date.now());
  const ready = outcome === "ready" ? "True" : "False";
  const ended = outcome === "succeeded" || outcome === "failed";
  const address = `10.128.${(lastAddress >> 8) & 255}.${lastAddress++ & 255}`;
  return {
    phase: ended ? (outcome === "succeeded" ? "Succeeded" : "Failed") : "Running",
    startTime: now,
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      ...(pod.status?.conditions ?? []).filter((one) => one.type === "PodScheduled"),
      { type: "Ready", status: ready, lastTransitionTime: now },
      { type: "ContainersReady", status: ready, lastTransitionTime: now },
    ],
    containerStatuses: pod.spec.containers.map((container) => ({
      name: container.name,
      image: container.image ?? "",
      imageID: "",
      ready: outcome === "ready",
      started: true,
      restartCount: 0,
      state: ended
        ? { terminated: { exitCode: outcome === "succeeded" ? 0 : 1, startedAt: now, finishedAt: now } }
        : { running: { startedAt: now } },
    })),
  };
}
