/** The Node object of a kubelet, with upstream's labels, conditions and words. */
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem, version } from "node:os";
import { formatTime } from "@travelops/kube/api/clock.ts";
import type { Node, NodeCondition } from "@travelops/kube/api/types/index.ts";

export interface NodeSettings {
  readonly name: string;
  readonly address: string;
  readonly podCIDR: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints?: ReadonlyArray<{ key: string; value?: string; effect: string }>;
  /** What the node offers; the machine's own where absent. */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly images: readonly string[];
}

const KUBELET_VERSION = "v1.35.0";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const MAX_PODS = "250";

export function nodeCapacity(own: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    cpu: String(cpus().length),
    "ephemeral-storage": "50Gi",
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: MAX_PODS,
    ...own,
  };
}

export function nodeLabels({ name, labels }: NodeSettings): Record<string, string> {
  const architecture = ARCHITECTURES[arch()] ?? arch();
  return {
    "beta.kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": architecture,
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    ...labels,
  };
}

export interface NodeTroubles {
  readonly diskPressure: boolean;
  readonly runtimeDown: boolean;
}

/** lastTransitionTime of conditions known before is kept. */
export function nodeConditions(
  before: readonly NodeCondition[] | undefined,
  now: number,
  { diskPressure, runtimeDown }: NodeTroubles,
): NodeCondition[] {
  const time = formatTime(now);
  const wanted: NodeCondition[] = [
    {
      type: "MemoryPressure",
      status: "False",
      reason: "KubeletHasSufficientMemory",
      message: "kubelet has sufficient memory available",
    },
    diskPressure
      ? {
          type: "DiskPressure",
          status: "True",
          reason: "KubeletHasDiskPressure",
          message: "kubelet has disk pressure",
        }
      : {
          type: "DiskPressure",
          status: "False",
          reason: "KubeletHasNoDiskPressure",
          message: "kubelet has no disk pressure",
        },
    {
      type: "PIDPressure",
      status: "False",
      reason: "KubeletHasSufficientPID",
      message: "kubelet has sufficient PID available",
    },
    runtimeDown
      ? { type: "Ready", status: "False", reason: "KubeletNotReady", message: "container runtime is down" }
      : { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
  ];
  return wanted.map((condition) => {
    const known = before?.find((one) => one.type === condition.type);
    const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : undefined;
    return { ...condition, lastHeartbeatTime: time, lastTransitionTime: lastTransitionTime ?? time };
  });
}

/** Everything of the status but the conditions. */
export function nodeStatus(settings: NodeSettings, sandbox: string): NonNullable<Node["status"]> {
  const capacity = nodeCapacity(settings.capacity);
  return {
    capacity,
    allocatable: capacity,
    addresses: [
      { type: "InternalIP", address: settings.address },
      { type: "Hostname", address: settings.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    images: settings.images.slice(0, 50).map((name) => ({ names: [name], sizeBytes: 0 })),
    nodeInfo: {
      architecture: ARCHITECTURES[arch()] ?? arch(),
      bootID: bootId(),
      containerRuntimeVersion: `travelops-${sandbox}://0.1.0`,
      kernelVersion: release(),
      kubeProxyVersion: "",
      kubeletVersion: KUBELET_VERSION,
      machineID: machineId(settings.name),
      operatingSystem: "linux",
      osImage: `${platform()} ${version()}`.slice(0, 120),
      systemUUID: machineId(settings.name),
    },
  };
}

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
};

const bootId = (): string => read("/proc/sys/kernel/random/boot_id") ?? "00000000-0000-0000-0000-000000000000";

/** The machine's own id is nobody's business; a node needs one that stays the same. */
const machineId = (name: string): string => Buffer.from(name.padEnd(16, "-")).toString("hex").slice(0, 32);
