/** What the API server asks of the nodes: logs, exec, attach, dial; for all kubelets of a cluster. */
import type { Duplex } from "node:stream";
import { badRequest, notFound, serviceUnavailable, type StatusError } from "@travelops/kube";
import type { Clock } from "@travelops/kube/api/clock.ts";
import { systemClock } from "@travelops/kube/api/clock.ts";
import type { ExecStreams, LogRequest, NodeAccess } from "../../apiserver/api-server.ts";
import type { Kubelet } from "../kubelet.ts";
import { logFile } from "../pod/container-spec.ts";
import { allRecords, type ContainerRecord } from "../pod/pod-record.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
import type { SandboxContainer } from "../sandbox/sandbox.ts";
import { podUsage } from "../usage/pod-usage.ts";
import type { UsageSampler } from "../usage/usage-sampler.ts";
import { readLog } from "./log-reader.ts";

export interface NodeAccessOptions {
  readonly kubelets: readonly Kubelet[];
  /** Without it there are no metrics. */
  readonly sampler?: UsageSampler;
  /** Connects to an address of the pods' network (the dataplane does it). */
  readonly dial: (ip: string, port: number) => Promise<Duplex>;
  readonly clock?: Clock;
}

/** All reject with `StatusError`. */
export function createNodeAccess(options: NodeAccessOptions): NodeAccess {
  const clock = options.clock ?? systemClock;
  const { sampler } = options;
  const find = (namespace: string, name: string): PodWorker => {
    for (const kubelet of options.kubelets) {
      const worker = kubelet.pod(namespace, name);
      if (worker !== undefined) return worker;
    }
    throw notFound({ group: "", resource: "pods" }, name);
  };
  return {
    async logs(request, signal) {
      const worker = find(request.namespace, request.pod);
      const record = containerOf(worker, request.container);
      const attempt = request.previous ? previousAttempt(record, request) : currentAttempt(record, request);
      return readLog(
        logFile(worker.directory, record.name, attempt),
        {
          follow: request.follow,
          timestamps: request.timestamps,
          ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
          ...sinceOf(request, clock),
          ...(request.limitBytes === undefined ? {} : { limitBytes: request.limitBytes }),
          active: () => record.state.kind === "running" && record.restartCount === attempt && !worker.closed,
        },
        signal,
      );
    },
    async exec(request, streams, signal) {
      const handle = runningContainer(find(request.namespace, request.pod), request.container);
      const env = request.tty ? { TERM: "xterm", ...handle.env } : handle.env;
      return handle.exec({ argv: request.command, env, ...streamOptions(request, streams), signal });
    },
    async attach(request, streams, signal) {
      const handle = runningContainer(find(request.namespace, request.pod), request.container);
      await handle.attach({ ...streamOptions(request, streams), signal });
    },
    ...(sampler === undefined ? {} : { usage: async () => podUsage(options.kubelets, await sampler.latest()) }),
    dialAddress: (host, port) => options.dial(host, port),
    async dial({ namespace, name }, port) {
      const ip = find(namespace, name).record.podIP;
      if (ip === undefined) throw badRequest(`pod ${name} has no address yet`);
      try {
        return await options.dial(ip, port);
      } catch (error) {
        throw serviceUnavailable(
          `error dialing ${ip}:${port} of pod ${name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    },
  };
}

const streamOptions = (request: { tty: boolean; stdin: boolean }, streams: ExecStreams) => ({
  stdout: (chunk: Uint8Array) => streams.stdout(chunk),
  stderr: (chunk: Uint8Array) => streams.stderr(chunk),
  ...(request.stdin && streams.stdin !== undefined ? { stdin: streams.stdin } : {}),
  ...(request.tty ? { tty: streams.resize === undefined ? {} : { resize: streams.resize } } : {}),
});

const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

function containerOf(worker: PodWorker, asked: string): ContainerRecord {
  const name =
    asked === ""
      ? (worker.pod.metadata.annotations?.[DEFAULT_CONTAINER] ?? worker.pod.spec.containers[0]?.name ?? "")
      : asked;
  const record = allRecords(worker.record).find((one) => one.name === name);
  if (record === undefined) throw badRequest(`container ${name} is not valid for pod ${worker.pod.metadata.name}`);
  return record;
}

function runningContainer(worker: PodWorker, name: string): SandboxContainer {
  const phase = worker.pod.status?.phase;
  if (phase === "Succeeded" || phase === "Failed")
    throw badRequest(`cannot exec into a container in a completed pod; current phase is ${phase}`);
  const record = containerOf(worker, name);
  if (record.state.kind !== "running")
    throw badRequest(`unable to upgrade connection: container not found ("${record.name}")`);
  if (record.state.handle === undefined)
    throw badRequest(
      `container "${record.name}" is simulated: its image is not in the catalogue, so there is nothing to run a command in`,
    );
  return record.state.handle;
}

const waitingError = (record: ContainerRecord, { pod }: LogRequest): StatusError => {
  const reason = record.state.kind === "waiting" ? record.state.reason : "ContainerCreating";
  const why =
    reason === "ErrImagePull" || reason === "ImagePullBackOff"
      ? reason === "ErrImagePull"
        ? "image can't be pulled"
        : "trying and failing to pull image"
      : reason;
  return badRequest(`container "${record.name}" in pod "${pod}" is waiting to start: ${why}`);
};

function currentAttempt(record: ContainerRecord, request: LogRequest): number {
  if (record.state.kind === "waiting" && record.last === undefined) throw waitingError(record, request);
  return record.restartCount;
}

function previousAttempt(record: ContainerRecord, { pod }: LogRequest): number {
  if (record.last === undefined)
    throw badRequest(`previous terminated container "${record.name}" in pod "${pod}" not found`);
  return record.state.kind === "waiting" ? record.restartCount : record.restartCount - 1;
}

function sinceOf(request: LogRequest, clock: Clock): { since?: number } {
  if (request.sinceSeconds !== undefined) return { since: clock.now() - request.sinceSeconds * 1000 };
  return request.sinceTime === undefined ? {} : { since: Date.parse(request.sinceTime) };
}
