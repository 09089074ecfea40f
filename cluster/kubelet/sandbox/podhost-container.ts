/** A running container of podhost, the same for both sandboxes: they differ in how a command is wrapped. */
import type { ExitEvent, OutputEvent, PodhostClient, PodhostEvent, ProbeEvent, RunResult } from "./podhost-client.ts";
import {
  StartError,
  type ContainerExit,
  type ContainerSpec,
  type ExecOptions,
  type ProbeAction,
  type PodSandboxSpec,
  type ProbeSpec,
  type ResourceLimits,
  type SandboxContainer,
} from "./sandbox.ts";
import { constants } from "node:os";

export interface WrappedCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ContainerLaunch {
  readonly client: PodhostClient;
  readonly spec: ContainerSpec;
  /** The whole command that podhost starts. */
  readonly command: WrappedCommand;
  /** `argv` starts a wrapper whose child is the container's first process. */
  readonly wrapped: boolean;
  /** NAME=value in the environment of all that belongs to the container. */
  readonly marker: string | undefined;
  readonly pod: Pick<PodSandboxSpec, "uid" | "limits">;
  /** Wraps a command to run inside the container; `inner` is its first process. */
  readonly enter: (
    inner: number,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    tty: boolean,
  ) => WrappedCommand;
}

/** Starts a container; rejects with `StartError` when its command cannot run. */
export async function launchContainer(launch: ContainerLaunch): Promise<SandboxContainer> {
  const { client, spec } = launch;
  let exit: (exit: ContainerExit) => void = () => {};
  const exited = new Promise<ContainerExit>((resolve) => (exit = resolve));
  const probes = new Map<string, (event: ProbeEvent) => void>();
  client.on(spec.id, (event: PodhostEvent) => {
    if (event.ev === "probe") probes.get(event.kind)?.(event);
    if (event.ev !== "exit") return;
    client.off(spec.id);
    client.tell("probe-remove-all", { prefix: `${spec.id}/` });
    exit(asContainerExit(event));
  });
  void client.exited.then(() => exit({ exitCode: 137, signal: "SIGKILL", at: Date.now() }));
  const { argv, env, cwd } = launch.command;
  const started = await client.request<{ pid?: number; inner?: number; at?: number; error?: string }>("start", {
    key: spec.id,
    argv,
    env,
    cwd,
    log: spec.log,
    stdin: spec.stdin,
    tty: spec.tty,
    wrapped: launch.wrapped,
    marker: launch.marker,
    limits: {
      pod: launch.pod.uid,
      name: groupOf(spec),
      limits: spec.limits ?? {},
      podLimits: launch.pod.limits ?? {},
    },
  });
  if (started.error !== undefined || started.inner === undefined) {
    client.off(spec.id);
    throw new StartError(started.error ?? "the container did not start");
  }
  return new PodhostContainer(launch, started.inner, started.at ?? Date.now(), exited, probes);
}

/** A new start gets a group of its own: the one before may still be ending. */
const groupOf = ({ id }: ContainerSpec): string => id.slice(id.indexOf("/") + 1).replaceAll("/", "-");

class PodhostContainer implements SandboxContainer {
  readonly id: string;
  readonly startedAt: number;
  readonly env: Readonly<Record<string, string>>;
  readonly exited: Promise<ContainerExit>;
  readonly #launch: ContainerLaunch;
  readonly #inner: number;
  readonly #probes: Map<string, (event: ProbeEvent) => void>;
  #execs = 0;

  constructor(
    launch: ContainerLaunch,
    inner: number,
    startedAt: number,
    exited: Promise<ContainerExit>,
    probes: Map<string, (event: ProbeEvent) => void>,
  ) {
    this.id = launch.spec.id;
    this.startedAt = startedAt;
    this.env = launch.spec.env;
    this.exited = exited;
    this.#launch = launch;
    this.#inner = inner;
    this.#probes = probes;
  }

  async kill(signal: string): Promise<void> {
    await this.#launch.client.request("signal", { key: this.id, signal, all: signal === "SIGKILL" }).catch(() => {});
  }

  async changeLimits(limits: ResourceLimits): Promise<void> {
    await this.#launch.client.request("limits-change", { key: this.id, limits });
  }

  async exec(options: ExecOptions): Promise<number> {
    const { client } = this.#launch;
    const id = `${this.id}+exec${this.#execs++}`;
    const command = this.#enter(options.argv, options.env, options.tty !== undefined);
    const ended = this.#stream(id, options, (bytes) => client.tell("exec-ack", { id, bytes }));
    const answer = await client.request<{ error?: string }>("exec", {
      id,
      ...command,
      of: this.id,
      stdin: options.stdin !== undefined,
      tty: options.tty !== undefined,
    });
    if (answer.error !== undefined) {
      client.off(id);
      throw new StartError(answer.error);
    }
    const abort = (): void => client.tell("exec-kill", { id });
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.signal?.aborted === true) abort();
    void this.#feed(
      options,
      (data, end) => client.request("exec-input", { id, data, end }),
      (size) => client.tell("exec-resize", { id, ...size }),
    );
    try {
      return asContainerExit(await ended).exitCode;
    } finally {
      client.off(id);
      options.signal?.removeEventListener("abort", abort);
    }
  }

  async attach(options: Omit<ExecOptions, "argv" | "env">): Promise<void> {
    const { client } = this.#launch;
    const id = `${this.id}+attach${this.#execs++}`;
    const ended = this.#stream(id, options, () => {});
    const { found } = await client.request<{ found: boolean }>("attach", { key: this.id, id });
    if (!found) {
      client.off(id);
      return;
    }
    void this.#feed(
      options,
      (data, end) => client.request("input", { key: this.id, data, end }),
      (size) => client.tell("resize", { key: this.id, ...size }),
    );
    const aborted = new Promise<void>((resolve) =>
      options.signal?.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([ended, aborted]);
    client.off(id);
    client.tell("detach", { key: this.id, id });
  }

  async runCommand(argv: readonly string[], timeoutMs?: number): Promise<{ code: number | undefined; output: string }> {
    const { client } = this.#launch;
    const result = await client.request<RunResult>("run", {
      ...this.#enter(argv, this.#launch.spec.env),
      of: this.id,
      timeoutMs,
    });
    return { code: result.timedOut ? undefined : (result.code ?? 137), output: result.stdout + result.stderr };
  }

  attempt(action: ProbeAction, timeoutMs: number): Promise<{ ok: boolean; message: string }> {
    return this.#launch.client.request("attempt", { action: this.#action(action), timeoutMs });
  }

  startProbe(spec: ProbeSpec, listener: (event: ProbeEvent) => void): void {
    this.#probes.set(spec.kind, listener);
    this.#launch.client.tell("probe", { ...spec, action: this.#action(spec.action), key: `${this.id}/${spec.kind}` });
  }

  stopProbes(): void {
    this.#probes.clear();
    this.#launch.client.tell("probe-remove-all", { prefix: `${this.id}/` });
  }

  #enter(argv: readonly string[], env: Readonly<Record<string, string>>, tty = false): WrappedCommand {
    return this.#launch.enter(this.#inner, argv, env, tty);
  }

  #action(action: ProbeAction): Record<string, unknown> {
    return action.type === "exec"
      ? { ...action, ...this.#enter(action.command, this.#launch.spec.env), of: this.id }
      : { ...action };
  }

  #stream(
    id: string,
    options: Pick<ExecOptions, "stdout" | "stderr">,
    acknowledge: (bytes: number) => void,
  ): Promise<ExitEvent> {
    const { client } = this.#launch;
    return new Promise((resolve) => {
      client.on(id, (event) => {
        if (event.ev === "exit") resolve(event);
        if (event.ev === "out") {
          const acknowledged = (): void => acknowledge(event.data.byteLength);
          const delivered = deliver(event, options);
          if (delivered instanceof Promise) void delivered.then(acknowledged, acknowledged);
          else acknowledged();
        }
      });
      void client.exited.then(() => resolve({ ev: "exit", code: null, signal: "SIGKILL", at: Date.now() }));
    });
  }

  /** Standard input and terminal sizes, until they end or nobody takes them any more. */
  async #feed(
    options: Pick<ExecOptions, "stdin" | "tty">,
    write: (data: Uint8Array | undefined, end: boolean) => Promise<unknown>,
    resize: (size: { width: number; height: number }) => void,
  ): Promise<void> {
    const sizes = async (): Promise<void> => {
      for await (const size of options.tty?.resize ?? []) resize(size);
    };
    const input = async (): Promise<void> => {
      if (options.stdin === undefined) return;
      for await (const chunk of options.stdin) {
        const answer = (await write(chunk, false)) as { found?: boolean };
        if (answer.found === false) return;
      }
      await write(undefined, true);
    };
    // The far side may vanish in the middle: the session's end is told by the process, not by its input.
    await Promise.all([sizes().catch(() => {}), input().catch(() => {})]);
  }
}

const deliver = (event: OutputEvent, options: Pick<ExecOptions, "stdout" | "stderr">): void | Promise<void> =>
  event.stream === "stdout" ? options.stdout(event.data) : options.stderr(event.data);

const numbers: Readonly<Record<string, number>> = constants.signals;

function asContainerExit(event: ExitEvent): ContainerExit {
  const more = event.exceeded === undefined ? {} : { exceeded: event.exceeded };
  if (event.signal === null) return { exitCode: event.code ?? 0, signal: undefined, at: event.at, ...more };
  return { exitCode: 128 + (numbers[event.signal] ?? 9), signal: event.signal, at: event.at, ...more };
}
