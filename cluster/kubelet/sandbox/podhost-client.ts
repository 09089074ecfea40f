/** The cluster process's end of podhost: requests with answers, and events by the key of what they concern. */
import type { ChildProcess } from "node:child_process";
import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";

export type Handle = Server | Socket | DatagramSocket;

/** Node keeps a sent server open here as well: two would accept, and what lands with us would wait for ever. */
function letGo(handle: Handle | undefined): void {
  if (handle !== undefined && "close" in handle) handle.close();
}

export interface ExitEvent {
  readonly ev: "exit";
  readonly code: number | null;
  readonly signal: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly exceeded?: "memory" | "pids";
}

export interface OutputEvent {
  readonly ev: "out";
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

export interface ProbeEvent {
  readonly ev: "probe";
  readonly key: string;
  readonly kind: "startup" | "readiness" | "liveness";
  readonly ok: boolean;
  readonly message: string;
  /** A threshold was crossed. */
  readonly changed: boolean;
}

export interface DaemonEvent {
  readonly ev: "daemon";
  readonly message: unknown;
  readonly handle: Handle | undefined;
}

export type PodhostEvent = ExitEvent | OutputEvent | ProbeEvent | DaemonEvent;

interface Reply {
  readonly ok?: Record<string, unknown>;
  readonly error?: string;
  readonly code?: string;
  readonly handle: Handle | undefined;
}

export class PodhostError extends Error {
  readonly code: string | undefined;
  constructor(message: string, code?: string) {
    super(message);
    this.name = "PodhostError";
    this.code = code;
  }
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export class PodhostClient {
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (reply: Reply) => void>();
  readonly #listeners = new Map<string, (event: PodhostEvent) => void>();
  #next = 1;
  #gone: string | undefined;

  private constructor(child: ChildProcess, onReady: () => void) {
    this.#child = child;
    child.on("message", (message, handle) =>
      this.#receive(message as Record<string, unknown>, handle as Handle, onReady),
    );
    this.exited = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#gone !== undefined) return;
        this.#gone = how;
        for (const answer of this.#pending.values()) answer({ error: how, handle: undefined });
        this.#pending.clear();
        resolve(how);
      };
      child.on("error", (error) => end(`podhost could not be started: ${error.message}`));
      child.on("exit", (code, signal) => end(`podhost ended (exit code ${code}, signal ${signal})`));
      child.on("disconnect", () => end("podhost closed its channel"));
    });
  }

  /** Resolves once podhost says it is ready; rejects when it ends before. */
  static async connect(child: ChildProcess): Promise<PodhostClient> {
    let ready = (): void => {};
    const readied = new Promise<"ready">((resolve) => (ready = () => resolve("ready")));
    const client = new PodhostClient(child, () => ready());
    const first = await Promise.race([readied, client.exited]);
    if (first !== "ready") throw new PodhostError(first);
    return client;
  }

  get alive(): boolean {
    return this.#gone === undefined;
  }

  /** One request and its answer; rejects with `PodhostError`. */
  async request<T = Record<string, unknown>>(
    op: string,
    message: Record<string, unknown>,
    handle?: Handle,
  ): Promise<T> {
    return (await this.#call(op, message, handle)).ok as T;
  }

  /** A request whose answer is a handle. */
  async requestHandle(op: string, message: Record<string, unknown>): Promise<Handle> {
    const { handle } = await this.#call(op, message);
    if (handle === undefined) throw new PodhostError(`podhost answered ${op} without a handle`);
    return handle;
  }

  /** Fire and forget. */
  tell(op: string, message: Record<string, unknown>, handle?: Handle): void {
    if (this.#gone !== undefined) return;
    this.#child.send({ op, message }, handle, {}, () => letGo(handle));
  }

  run(
    argv: readonly string[],
    options: { env?: Record<string, string>; cwd?: string; input?: string; timeoutMs?: number } = {},
  ): Promise<RunResult> {
    return this.request<RunResult>("run", { argv, ...options });
  }

  /** Events that name `key` go to `listener`; one listener a key. */
  on(key: string, listener: (event: PodhostEvent) => void): void {
    this.#listeners.set(key, listener);
  }

  off(key: string): void {
    this.#listeners.delete(key);
  }

  #call(op: string, message: Record<string, unknown>, handle?: Handle): Promise<Reply> {
    if (this.#gone !== undefined) return Promise.reject(new PodhostError(this.#gone));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, (reply) => {
        if (reply.error !== undefined) reject(new PodhostError(reply.error, reply.code));
        else resolve(reply);
      });
      this.#child.send({ id, op, message }, handle, {}, (error) => {
        letGo(handle);
        if (error === null || !this.#pending.delete(id)) return;
        reject(new PodhostError(error.message));
      });
    });
  }

  #receive(message: Record<string, unknown>, handle: Handle | undefined, onReady: () => void): void {
    if (message["ev"] === "ready") {
      onReady();
      return;
    }
    if (typeof message["ev"] === "string") {
      const key = String(message["key"] ?? message["id"]);
      const listener = this.#listeners.get(message["ev"] === "probe" ? key.slice(0, key.lastIndexOf("/")) : key);
      listener?.({ ...message, ...(message["ev"] === "daemon" ? { handle } : {}) } as unknown as PodhostEvent);
      return;
    }
    const id = message["id"] as number;
    const answer = this.#pending.get(id);
    this.#pending.delete(id);
    answer?.({ ...(message as Omit<Reply, "handle">), handle });
  }
}
