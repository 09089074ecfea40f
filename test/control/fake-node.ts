/** A node without a machine: it says that it is ready, and of each pod what the pod's images ask it to say. */
import type { Informer, KubeClient, Node, Pod } from "@travelops/kube";
import { createInformer, formatTime, isConflict, isNotFound, LEASES, NODES, PODS, StatusError } from "@travelops/kube";

export interface FakeNodeOptions {
  readonly client: KubeClient;
  readonly signal: AbortSignal;
  readonly name: string;
  readonly zone: string;
}

const RENEW_MS = 10_000;
const CAPACITY = { cpu: "4", memory: "8Gi", pods: "110", "ephemeral-storage": "100Gi" };

/** Makes the node; its lease is renewed until the signal aborts. */
export async function startFakeNode(options: FakeNodeOptions): Promise<void> {
  const { client, signal, name } = options;
  const node = nodeOf(options);
  await client.create(NODES, node);
  await client.patch(
    NODES,
    "",
    name,
    "application/merge-patch+json",
    { status: node.status },
    { subresource: "status" },
  );
  const lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: "kube-node-lease" },
    spec: { holderIdentity: name, leaseDurationSeconds: 40 },
  };
  await client.create(LEASES, lease);
  const renew = (): void => {
    const renewTime = formatTime(Date.now()).replace("Z", ".000000Z");
    const patch = { spec: { renewTime } };
    // A script may have taken the lease away, to see what becomes of a silent node.
    client
      .patch(LEASES, "kube-node-lease", name, "application/merge-patch+json", patch)
      .catch((error: unknown) => forgive(error, signal));
  };
  renew();
  const timer = setInterval(renew, RENEW_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function nodeOf({ name, zone }: FakeNodeOptions): Node {
  const now = formatTime(Date.now());
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone } },
    status: {
      capacity: CAPACITY,
      allocatable: CAPACITY,
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
    },
  };
}

function forgive(error: unknown, signal: AbortSignal): void {
  const over = isNotFound(error) || isConflict(error) || signal.aborted;
  if (!over && !(error instanceof StatusError)) throw error;
}

/** Plays the kubelet of every pod that has a node, until the signal aborts. */
export function startFakeKubelets(client: KubeClient, signal: AbortSignal): Promise<void> {
  const pods: Informer<Pod> = createInformer(client, PODS);
  pods.onEvent((event) => {
    if (event.type === "deleted" || (event.object.spec.nodeName ?? "") === "") return;
    void act(client, event.object).catch((error: unknown) => forgive(error, signal));
  });
  return pods.run(signal);
}

async function act(client: KubeClient, pod: Pod): Promise<void> {
  const { namespace = "", name = "", uid } = pod.metadata;
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (imageOf(pod) === "lingers") return;
    await client.delete(PODS, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
    return;
  }
  const status = statusOf(pod);
  if (status === undefined || pod.status?.phase !== "Pending") return;
  await client.patch(PODS, namespace, name, "application/merge-patch+json", { status }, { subresource: "status" });
}

const imageOf = (pod: Pod): string => pod.spec.containers[0]?.image ?? "";

let lastAddress = 1;

/**
 * The first image says what becomes of the pod: `pending`, `unready`, `exits-N`, or ready with any other.
 * `lingers` runs, and does not end when it is told to.
 */
function statusOf(pod: Pod): Pod["status"] | undefined {
  const image = imageOf(pod);
  if (image === "pending") return undefined;
  const exit = /^exits-(\d+)$/.exec(image);
  const now = formatTime(Date.now());
  const isReady = exit === null && image !== "unready";
  const address = `10.128.${(lastAddress >> 8) & 255}.${lastAddress++ & 255}`;
  const exitCode = Number(exit?.[1] ?? 0);
  const ready = { status: isReady ? ("True" as const) : ("False" as const), lastTransitionTime: now };
  return {
    phase: exit === null ? "Running" : exitCode === 0 ? "Succeeded" : "Failed",
    startTime: now,
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      ...(pod.status?.conditions ?? []).filter((one) => one.type === "PodScheduled"),
      { type: "Ready", ...ready },
      { type: "ContainersReady", ...ready },
    ],
    containerStatuses: pod.spec.containers.map((container) => ({
      name: container.name,
      image: container.image ?? "",
      imageID: "",
      ready: isReady,
      started: exit === null,
      restartCount: 0,
      state:
        exit === null
          ? { running: { startedAt: now } }
          : {
              terminated: { exitCode, startedAt: now, finishedAt: now, reason: exitCode === 0 ? "Completed" : "Error" },
            },
    })),
  };
}
