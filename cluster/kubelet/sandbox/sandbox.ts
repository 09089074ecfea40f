/** What a kubelet asks of the place where its pods run. Two kinds: `namespaces` and `bare`. */
import type { UsageSample } from "../usage/usage-rate.ts";
import type { PodNetworkHost } from "../pod-network-host.ts";
import type { ProbeEvent } from "./podhost-client.ts";

export interface Sandbox {
  readonly kind: "namespaces" | "bare";
  /** Why this kind: one sentence for `status`. */
  readonly note: string;
  readonly network: PodNetworkHost;
  readonly limits: LimitEnforcement;
  readonly users: SandboxUsers;
  /** Resolves when podhost has ended by itself: every pod in it is gone. */
  readonly exited: Promise<string>;
  /** Where podhost is started again when it ends: `true` once there is a new one, empty; `false` when a try has failed. */
  onChange?(listener: (alive: boolean) => void): () => void;
  createPod(spec: PodSandboxSpec): Promise<PodSandbox>;
  /** One look at every running container: what it has used so far, and holds now. */
  usage(): Promise<readonly UsageSample[]>;
  /** Ends every pod and podhost itself; nothing outlives it. */
  close(): Promise<void>;
}

/**
 * `range`: containers have any users and groups; `hostId` is their number on the machine. `single`: a container has one of
 * each, who owns all its files. `none`: everything is the user's who runs the cluster.
 */
export type SandboxUsers =
  | { readonly kind: "range"; readonly hostId: (id: number) => number }
  | { readonly kind: "single" | "none" };

/** By what limits hold. `watch`: a look now and then, and what is above is killed; `rlimit`: each container for itself. */
export interface LimitEnforcement {
  readonly memory: "cgroup" | "watch";
  readonly cpu: "cgroup" | "none";
  readonly pids: "cgroup" | "rlimit" | "watch";
}

export interface ResourceLimits {
  readonly memoryBytes?: number;
  readonly cpuMilli?: number;
  /** What it asks for, as its share when there is not enough for all. */
  readonly sharesMilli?: number;
}

export interface PodSandboxSpec {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  /** The pod's address; with `hostNetwork` the node's. */
  readonly ip: string;
  readonly hostNetwork: boolean;
  readonly shareProcessNamespace: boolean;
  /** A directory of this pod alone (volumes, logs, root file systems); made by the kubelet. */
  readonly directory: string;
  /** emptyDirs in memory; a mount of type `tmpfs` names one as its source. */
  readonly memoryVolumes: readonly MemoryVolume[];
  /** Of the whole pod, and how many processes it may have. */
  readonly limits?: ResourceLimits & { readonly pids?: number };
}

export interface MemoryVolume {
  readonly name: string;
  readonly sizeBytes?: number;
  /** Whose it is, where containers have groups of their own. */
  readonly group?: number;
}

export interface PodSandbox {
  /** It has ended with its podhost. */
  readonly gone: boolean;
  startContainer(spec: ContainerSpec): Promise<SandboxContainer>;
  /** Ends what still runs and takes the network away; the pod's directory stays. */
  remove(): Promise<void>;
}

export interface Mount {
  /** A path on the host; for `tmpfs` the name of one of the pod's memory volumes. */
  readonly source: string;
  readonly target: string;
  readonly type: "bind" | "tmpfs";
  readonly readOnly: boolean;
  readonly recursive?: boolean;
  readonly sizeBytes?: number;
  /** Of a memory volume: a directory in it, made where it is missing. */
  readonly subPath?: string;
  /** What stands at `source`: decides what kind of mount point is made. */
  readonly file: boolean;
}

export interface ContainerSpec {
  /** Unique: a new one for every start. */
  readonly id: string;
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly mounts: readonly Mount[];
  /** Files written into the container: /etc/hosts, /etc/resolv.conf … by absolute path. */
  readonly files: Readonly<Record<string, string>>;
  /** Host paths its program needs to see, read-only (its package, Node). */
  readonly view: readonly string[];
  /** A directory for this start alone, for its root file system. */
  readonly directory: string;
  readonly log: { readonly file: string; readonly maxBytes: number; readonly maxFiles: number };
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly readOnlyRoot: boolean;
  /** Those it may ever have inside its own user namespace, without `CAP_`; all where absent. */
  readonly capabilities?: readonly string[] | undefined;
  readonly noNewPrivileges: boolean;
  readonly limits?: ResourceLimits;
  readonly stdin: boolean;
  readonly tty: boolean;
}

export interface ContainerExit {
  /** As `docker run` reports it: 128 + signal when a signal ended it. */
  readonly exitCode: number;
  readonly signal: string | undefined;
  readonly at: number;
  /** It was killed for a limit, or one of its processes was. */
  readonly exceeded?: "memory" | "pids";
}

/** A command could not be started; the message is what the container's status shows. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly exitCode: number;
  constructor(message: string, exitCode = 128) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface ExecOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** A promise holds back further output until it resolves. */
  readonly stdout: (chunk: Uint8Array) => void | Promise<void>;
  readonly stderr: (chunk: Uint8Array) => void | Promise<void>;
  readonly tty?: { readonly resize?: AsyncIterable<{ width: number; height: number }> };
  readonly signal?: AbortSignal;
}

export type ProbeAction =
  | {
      type: "http";
      host: string;
      port: number;
      path: string;
      scheme: "HTTP" | "HTTPS";
      headers: ReadonlyArray<{ name: string; value: string }>;
    }
  | { type: "tcp"; host: string; port: number }
  | { type: "grpc"; host: string; port: number; service: string }
  | { type: "exec"; command: readonly string[] };

export interface ProbeSpec {
  readonly kind: "startup" | "readiness" | "liveness";
  readonly action: ProbeAction;
  readonly startedAt: number;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export interface SandboxContainer {
  readonly id: string;
  readonly startedAt: number;
  /** What its command was started with, for commands that join it. */
  readonly env: Readonly<Record<string, string>>;
  readonly exited: Promise<ContainerExit>;
  /** `SIGKILL` ends everything in the container, any other signal goes to its first process. */
  kill(signal: string): Promise<void>;
  /** New limits while it runs. */
  changeLimits(limits: ResourceLimits): Promise<void>;
  /** Resolves with the exit code. */
  exec(options: ExecOptions): Promise<number>;
  /** A short command with a time limit (hooks): code undefined when it ran out of time. */
  runCommand(argv: readonly string[], timeoutMs?: number): Promise<{ code: number | undefined; output: string }>;
  /** One HTTP request or connect from the node's side (hooks). */
  attempt(action: ProbeAction, timeoutMs: number): Promise<{ ok: boolean; message: string }>;
  attach(options: Omit<ExecOptions, "argv" | "env">): Promise<void>;
  startProbe(spec: ProbeSpec, listener: (event: ProbeEvent) => void): void;
  stopProbes(): void;
}
