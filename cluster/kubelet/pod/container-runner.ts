/** Starts, watches and stops the containers of one pod; what happens is written into their records. */
import { rm } from "node:fs/promises";
import { steadyNow } from "@travelops/kube/api/clock.ts";
import type { Container, Pod } from "@travelops/kube/api/types/index.ts";
import { StartError, type ContainerExit, type PodSandbox, type SandboxContainer } from "../sandbox/sandbox.ts";
import type { PodVolumes } from "../volumes/pod-volumes.ts";
import { ConfigError, containerEnv } from "./container-env.ts";
import { containerDirectory, containerSpec, logFile } from "./container-spec.ts";
import { Deadline } from "./deadline.ts";
import { runHook } from "./hooks.ts";
import { resolveImage } from "./image-step.ts";
import { findContainer, podLabel, type KubeletContext } from "./kubelet-context.ts";
import { countStart } from "./pod-plan.ts";
import { isRunning, type ContainerRecord, type PodRecord, type Termination } from "./pod-record.ts";
import { startProbes } from "./probing.ts";
import { simulate } from "./simulated.ts";
import { terminationFile, terminationMessage } from "./termination-message.ts";

export interface RunnerPod {
  /** The newest state of the object. */
  pod(): Pod;
  readonly record: PodRecord;
  sandbox(): PodSandbox | undefined;
  readonly volumes: PodVolumes;
  readonly directory: string;
  /** Something changed: look at the pod again. */
  wake(): void;
  event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void;
}

/** After a missing ConfigMap or a refused start: look again. Changes of the object wake earlier. */
const CONFIG_RETRY_MS = 10_000;

export class ContainerRunner {
  readonly #context: KubeletContext;
  readonly #pod: RunnerPod;
  readonly #killing = new Map<string, Promise<void>>();

  constructor(context: KubeletContext, pod: RunnerPod) {
    this.#context = context;
    this.#pod = pod;
  }

  /** One try to start; never rejects: what goes wrong is in the record. */
  async start(record: ContainerRecord): Promise<void> {
    const container = findContainer(this.#pod.pod(), record.name);
    if (container === undefined) return;
    try {
      await this.#start(record, container);
    } catch (error) {
      this.#startFailed(record, error);
    }
    this.#pod.wake();
  }

  async #start(record: ContainerRecord, container: Container): Promise<void> {
    const { catalogue, newContainerId, clock, dns, podEnv } = this.#context;
    const { volumes, directory } = this.#pod;
    const pod = this.#pod.pod();
    const sandbox = this.#pod.sandbox();
    const image = resolveImage(catalogue, container, record, this.#pod, steadyNow(clock));
    if (image === undefined || sandbox === undefined) return;
    const ip = this.#pod.record.podIP ?? "";
    const env = containerEnv(pod, container, this.#envSources(ip));
    const again = record.state.kind === "terminated" || record.last !== undefined;
    const attempt = again ? record.restartCount + 1 : record.restartCount;
    if (image.kind === "simulated") {
      this.#begin(record, again, attempt, newContainerId(), image.imageID);
      record.simulated = true;
      simulate(record, container, { pod, directory, event: (...said) => this.#pod.event(...said) }, clock.now());
      return;
    }
    const id = `${pod.metadata.uid}/${container.name}/${attempt}-${newContainerId().slice(0, 8)}`;
    // What a start that failed or was cut short has left is not this one's.
    await rm(containerDirectory(directory, container.name, attempt), { recursive: true, force: true });
    const spec = containerSpec({
      pod,
      container,
      image: image.image,
      env,
      podEnv,
      places: volumes.places,
      ip,
      node: this.#context.node.name,
      dns,
      podDirectory: directory,
      id,
      attempt,
    });
    this.#begin(record, again, attempt, newContainerId(), image.imageID);
    record.resources = container.resources;
    this.#pod.event("Normal", "Created", `Created container: ${container.name}`, container.name);
    const handle = await sandbox.startContainer(spec);
    record.state = { kind: "running", startedAt: handle.startedAt, handle };
    record.said.clear();
    this.#pod.event("Normal", "Started", `Started container ${container.name}`, container.name);
    void handle.exited.then((exit) => this.#exited(record, container, handle, exit, attempt));
    if (attempt > 0)
      void rm(containerDirectory(directory, container.name, attempt - 1), { recursive: true, force: true }).catch(
        () => {},
      );
    if (attempt > 1) void rm(logFile(directory, container.name, attempt - 2), { force: true }).catch(() => {});
    await this.#postStart(record, container, handle, ip);
    if (record.state.kind !== "running" || record.state.handle !== handle) return;
    startProbes({
      record,
      container,
      handle,
      podIP: ip,
      pod: this.#pod,
      restart: (message, grace) => void this.restart(record, message, grace),
    });
  }

  #begin(record: ContainerRecord, again: boolean, attempt: number, id: string, imageID: string): void {
    countStart(record);
    if (again && record.state.kind === "terminated") {
      const { kind: _, ...ended } = record.state;
      record.last = ended;
    }
    record.restartCount = attempt;
    record.containerID = `travelops://${id}`;
    record.imageID = imageID;
    record.ready = false;
    record.started = false;
  }

  async #postStart(
    record: ContainerRecord,
    container: Container,
    handle: SandboxContainer,
    podIP: string,
  ): Promise<void> {
    const hook = container.lifecycle?.postStart;
    if (hook === undefined) return;
    this.#pod.wake();
    const failure = await Promise.race([
      runHook(hook, { container, handle, podIP, clock: this.#context.clock }),
      handle.exited.then(() => undefined),
    ]);
    if (failure === undefined) return;
    this.#pod.event("Warning", "FailedPostStartHook", `PostStartHook failed: ${failure}`, container.name);
    await this.restart(record, "FailedPostStartHook");
  }

  #startFailed(record: ContainerRecord, error: unknown): void {
    const { clock } = this.#context;
    const message = error instanceof Error ? error.message : String(error);
    const now = clock.now();
    record.endedAt = steadyNow(clock);
    if (error instanceof StartError) {
      this.#pod.event(
        "Warning",
        "Failed",
        `Error: failed to start container "${record.name}": ${message}`,
        record.name,
      );
      record.state = {
        kind: "terminated",
        exitCode: error.exitCode,
        reason: "StartError",
        message,
        startedAt: undefined,
        finishedAt: now,
        containerID: record.containerID,
      };
      return;
    }
    const reason = error instanceof ConfigError ? "CreateContainerConfigError" : "CreateContainerError";
    if (!(error instanceof ConfigError))
      this.#context.log.warn("a container could not be started", {
        pod: podLabel(this.#pod.pod()),
        container: record.name,
        err: error,
      });
    this.#pod.event("Warning", "Failed", `Error: ${message}`, record.name);
    if (record.state.kind === "terminated") {
      const { kind: _, ...ended } = record.state;
      record.last = ended;
    }
    record.state = { kind: "waiting", reason, message };
    record.backoff = { ...record.backoff, until: steadyNow(clock) + CONFIG_RETRY_MS };
  }

  #exited(
    record: ContainerRecord,
    container: Container,
    handle: SandboxContainer,
    exit: ContainerExit,
    attempt: number,
  ): void {
    if (record.state.kind !== "running" || record.state.handle !== handle) return;
    handle.stopProbes();
    const { directory } = this.#pod;
    const message = terminationMessage(container, exit.exitCode, {
      message: terminationFile(directory, container.name, attempt),
      log: logFile(directory, container.name, attempt),
    });
    if (exit.exceeded !== undefined)
      this.#pod.event(
        "Warning",
        ...exceededEvent(container, exit.exceeded, this.#context.podPidsLimit),
        container.name,
      );
    const ended: Termination = {
      exitCode: exit.exitCode,
      reason: exit.exceeded === "memory" ? "OOMKilled" : exit.exitCode === 0 ? "Completed" : "Error",
      ...(message === "" ? {} : { message }),
      startedAt: record.state.startedAt,
      finishedAt: exit.at,
      containerID: record.containerID,
    };
    record.state = { kind: "terminated", ...ended };
    record.endedAt = steadyNow(this.#context.clock);
    record.ready = false;
    record.started = false;
    this.#pod.wake();
  }

  /** Kills a container that is to be started again by its restart policy. */
  async restart(record: ContainerRecord, message: string, graceSeconds?: number): Promise<void> {
    const { clock } = this.#context;
    const grace = graceSeconds ?? this.#pod.pod().spec.terminationGracePeriodSeconds ?? 30;
    const deadline = new Deadline(clock, steadyNow(clock) + grace * 1000);
    await this.kill(record, deadline, `Container ${record.name} ${message}`);
    deadline.close();
  }

  /** preStop, SIGTERM, and SIGKILL at the deadline; resolves when the container has ended. */
  kill(record: ContainerRecord, deadline: Deadline, said: string): Promise<void> {
    if (record.state.kind !== "running") return Promise.resolve();
    if (record.state.handle === undefined) {
      record.state = {
        kind: "terminated",
        exitCode: 0,
        reason: "Completed",
        startedAt: record.state.startedAt,
        finishedAt: this.#context.clock.now(),
        containerID: record.containerID,
      };
      record.ready = false;
      return Promise.resolve();
    }
    const known = this.#killing.get(record.name);
    if (known !== undefined) return known;
    const killing = this.#kill(record, record.state.handle, deadline, said).finally(() =>
      this.#killing.delete(record.name),
    );
    this.#killing.set(record.name, killing);
    return killing;
  }

  async #kill(record: ContainerRecord, handle: SandboxContainer, deadline: Deadline, said: string): Promise<void> {
    const { clock } = this.#context;
    const container = findContainer(this.#pod.pod(), record.name);
    this.#pod.event("Normal", "Killing", said, record.name);
    const hook = container?.lifecycle?.preStop;
    if (hook !== undefined && container !== undefined && deadline.at > steadyNow(clock)) {
      const podIP = this.#pod.record.podIP ?? "";
      const run = runHook(hook, { container, handle, podIP, clock }, deadline.at - steadyNow(clock)).catch(
        (error: unknown) => String(error),
      );
      const failure = await Promise.race([
        run,
        deadline.reached.then(() => undefined),
        handle.exited.then(() => undefined),
      ]);
      if (failure !== undefined)
        this.#pod.event("Warning", "FailedPreStopHook", `PreStopHook failed: ${failure}`, record.name);
    }
    if (deadline.at > steadyNow(clock)) {
      await handle.kill(container?.lifecycle?.stopSignal ?? "SIGTERM");
      await Promise.race([handle.exited, deadline.reached]);
    }
    if (isRunning(record)) await handle.kill("SIGKILL");
    await handle.exited;
    // The record is written by the exit's own listener, which comes first.
    await Promise.resolve();
  }

  #envSources(podIP: string): Parameters<typeof containerEnv>[2] {
    const { sources, node } = this.#context;
    const namespace = this.#pod.pod().metadata.namespace ?? "";
    return {
      configMap: (name) => sources.configMaps.get(namespace, name),
      secret: (name) => sources.secrets.get(namespace, name),
      services: () => [
        ...sources.services.list(namespace),
        ...(namespace === "default" ? [] : sources.services.list("default")),
      ],
      node,
      podIP,
    };
  }
}

const exceededEvent = (container: Container, what: "memory" | "pids", most: number): [reason: string, said: string] =>
  what === "memory"
    ? [
        "OOMKilling",
        `Container ${container.name} held more than its limit of memory (${container.resources?.limits?.["memory"] ?? "of the pod"})`,
      ]
    : ["TooManyProcesses", `Container ${container.name} was killed: it had more than ${most} processes`];
