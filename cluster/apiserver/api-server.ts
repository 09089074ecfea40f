/** The server's outward face: what `createCluster` starts, and what the other parts of a cluster get from it. */
import type { Server } from "node:net";
import type { Duplex } from "node:stream";
import type { KubeClient } from "@travelops/kube";

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  /** Who really asks, where a request impersonates this user. */
  readonly impersonator?: UserInfo;
}

/** Byte streams of one exec or attach session, in the kubelet's terms. */
export interface ExecStreams {
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** A promise holds back further output until it resolves. */
  stdout(chunk: Uint8Array): void | Promise<void>;
  stderr(chunk: Uint8Array): void | Promise<void>;
  /** Terminal size changes; only with tty. */
  readonly resize?: AsyncIterable<{ width: number; height: number }>;
}

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  /** "": the pod's default container. */
  readonly container: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

export interface PodUsage {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly {
    readonly name: string;
    /** When it was measured (milliseconds), and over how long. */
    readonly at: number;
    readonly windowMs: number;
    readonly cpuNanoCores: number;
    readonly memoryBytes: number;
  }[];
}

/** What the API server asks of the node that runs a pod (upstream: the kubelet's own HTTPS API). */
export interface NodeAccess {
  /** Rejects with `StatusError` (404 no such container, 400 container not started yet). */
  logs(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Resolves with the exit code. */
  exec(request: ExecRequest, streams: ExecStreams, signal: AbortSignal): Promise<number>;
  attach(request: Omit<ExecRequest, "command">, streams: ExecStreams, signal: AbortSignal): Promise<void>;
  /** What the pods use now; takes a moment when nobody has asked for a while. Absent: the nodes do not measure. */
  usage?(): Promise<readonly PodUsage[]>;
  /** A duplex byte stream to a port of the pod. */
  dial(pod: { namespace: string; name: string }, port: number): Promise<Duplex>;
  /** The same to an address of the pods' network, a Service's too; rejects with code EOUTSIDE for any other. */
  dialAddress?(host: string, port: number): Promise<Duplex>;
}

export interface ApiServer {
  /** A client inside the process, acting as `user`: same authorization and admission, no socket. */
  clientFor(user: UserInfo): KubeClient;
  /** The kubelet registers here once it runs; until then log, exec and port-forward answer 503. */
  setNodeAccess(access: NodeAccess): void;
  /** Serves HTTPS (HTTP/2 and 1.1) on `host:port` (0: any); resolves with the port. */
  listen(host: string, port: number): Promise<number>;
  /** Serves on a listening socket made elsewhere (inside the pods' network), TLS as above. */
  serve(server: Server): void;
  /** Ends watches, finishes requests in flight, closes listeners. */
  close(): Promise<void>;
}
