/** A sandbox whose podhost is started anew when it ends by itself; the pods in it are gone then, their kubelets make them again. */
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type { PodNetworkHost } from "../pod-network-host.ts";
import type { UsageSample } from "../usage/usage-rate.ts";
import { PodhostError } from "./podhost-client.ts";
import { supervisedNetwork } from "./supervised-network.ts";
import type { LimitEnforcement, PodSandbox, PodSandboxSpec, Sandbox, SandboxUsers } from "./sandbox.ts";

/** Waits between tries; the last holds on. One that lived for a while starts with the first again. */
const WAITS_MS = [0, 1000, 2000, 5000, 10_000, 30_000] as const;
const LIVED_MS = 60_000;

export interface SupervisedOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

export function superviseSandbox(first: Sandbox, open: () => Promise<Sandbox>, options: SupervisedOptions): Sandbox {
  return new SupervisedSandbox(first, open, options);
}

class SupervisedSandbox implements Sandbox {
  readonly kind: Sandbox["kind"];
  readonly note: string;
  readonly users: SandboxUsers;
  readonly network: PodNetworkHost;
  /** Only with the sandbox itself. */
  readonly exited: Promise<string>;
  readonly #open: () => Promise<Sandbox>;
  readonly #options: SupervisedOptions;
  readonly #listeners = new Set<(alive: boolean) => void>();
  readonly #ended = Promise.withResolvers<string>();
  #last: Sandbox;
  /** The one that lives, or the try under way to have one; rejects when that failed. */
  #live: Promise<Sandbox>;
  #restarting: Promise<void> | undefined;
  #cancelWait: (() => void) | undefined;
  #tries = 0;
  #closed = false;

  constructor(first: Sandbox, open: () => Promise<Sandbox>, options: SupervisedOptions) {
    this.kind = first.kind;
    this.note = first.note;
    this.users = first.users;
    this.exited = this.#ended.promise;
    this.#open = open;
    this.#options = options;
    this.#last = first;
    this.#live = Promise.resolve(first);
    this.network = supervisedNetwork(first.network, {
      host: async () => (await this.#live).network,
      onRestart: (listener) => this.onChange((alive) => alive && listener()),
      log: options.log,
    });
    this.#watch(first);
  }

  get limits(): LimitEnforcement {
    return this.#last.limits;
  }

  onChange(listener: (alive: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async createPod(spec: PodSandboxSpec): Promise<PodSandbox> {
    return (await this.#live).createPod(spec);
  }

  async usage(): Promise<readonly UsageSample[]> {
    return (await this.#live).usage();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelWait?.();
    await this.#restarting;
    await this.#last.close();
    this.#ended.resolve("closed");
  }

  #watch(sandbox: Sandbox): void {
    const { clock, log } = this.#options;
    const since = clock.now();
    void sandbox.exited.then((how) => {
      if (this.#closed) return;
      log.error("podhost ended, and all pods with it; starting it again", { how });
      if (clock.now() - since > LIVED_MS) this.#tries = 0;
      this.#restarting = this.#restart();
    });
  }

  async #restart(): Promise<void> {
    for (;;) {
      const attempt = this.#again();
      this.#live = attempt;
      try {
        this.#last = await attempt;
      } catch (error) {
        if (this.#closed) return;
        this.#options.log.error("podhost was not started again", { err: error });
        this.#tell(false);
        continue;
      }
      if (this.#closed) return;
      this.#watch(this.#last);
      this.#tell(true);
      return;
    }
  }

  async #again(): Promise<Sandbox> {
    // What it held (control groups) goes first; whoever asks meanwhile waits with us.
    await this.#last.close().catch(() => {});
    const wait = WAITS_MS[Math.min(this.#tries++, WAITS_MS.length - 1)] ?? 0;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimeout(resolve, wait);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
    });
    if (this.#closed) throw new PodhostError("the sandbox is closed");
    return this.#open();
  }

  #tell(alive: boolean): void {
    for (const listener of this.#listeners) listener(alive);
  }
}
