/**
 * Group versions that other API servers serve, as APIServices name them. Nothing but this table exists until the first
 * of them is there; then what checks and passes on is loaded.
 */
import { formatTime } from "@travelops/kube/api/clock";
import type { KubeObject } from "@travelops/kube";
import type { StoredObject, StoreEvent } from "../../store/store.ts";
import type { ServerCore } from "../server-options.ts";
import { systemActor } from "../system/system-actor.ts";
import { API_SERVICES, conditionsOf, localCondition, remoteApi, type RemoteApi } from "./api-service.ts";
import type { Availability } from "./availability.ts";

const saysLocal = (object: KubeObject): boolean => conditionsOf(object).some(({ reason }) => reason === "Local");

const isSame = (before: RemoteApi | undefined, now: RemoteApi | undefined): boolean =>
  before !== undefined &&
  now !== undefined &&
  JSON.stringify({ ...before, available: false }) === JSON.stringify({ ...now, available: false });

export class Aggregation {
  readonly #remote = new Map<string, RemoteApi>();
  readonly #core: () => ServerCore;
  #availability: Promise<Availability> | undefined;
  #stop: (() => void) | undefined;
  #closed = false;

  constructor(core: () => ServerCore) {
    this.#core = core;
  }

  /** Whether any request may be another server's. */
  get active(): boolean {
    return this.#remote.size > 0;
  }

  find(group: string, version: string): RemoteApi | undefined {
    return this.#remote.get(`${version}.${group}`);
  }

  all(): RemoteApi[] {
    return [...this.#remote.values()];
  }

  start(): void {
    const { store } = this.#core();
    for (const { key, object } of store.list(API_SERVICES).items) this.#note(key.name, remoteApi(object));
    this.#stop = store.watch(API_SERVICES, store.revision, (event: StoreEvent) => {
      const { key, object } = event.object;
      const remote = event.type === "delete" ? undefined : remoteApi(object);
      this.#note(key.name, remote);
      if (event.type !== "delete" && remote === undefined && !saysLocal(object)) this.#sayLocal(event.object);
    });
  }

  /** What is known of the servers themselves. */
  availability(): Promise<Availability> {
    return (this.#availability ??= import("./availability.ts").then(({ Availability }) => {
      const made = new Availability(this.#core(), this);
      if (this.#closed) made.close();
      return made;
    }));
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
    this.#availability?.then(
      (availability) => availability.close(),
      () => undefined,
    );
  }

  /** Somebody else's APIService for a group version of this server. */
  #sayLocal({ key }: StoredObject): void {
    const { store, clock, log } = this.#core();
    const now = formatTime(clock.now());
    store
      .write(key, systemActor("update"), (current) =>
        current === undefined || remoteApi(current.object) !== undefined || saysLocal(current.object)
          ? { op: "none" }
          : { op: "put", object: { ...current.object, status: { conditions: [localCondition(now)] } } },
      )
      .catch((error: unknown) => {
        if (!this.#closed) log.warn("an APIService's condition could not be written", { name: key.name, err: error });
      });
  }

  #note(name: string, remote: RemoteApi | undefined): void {
    const before = this.#remote.get(name);
    if (remote !== undefined) this.#remote.set(name, remote);
    else if (!this.#remote.delete(name)) return;
    // A new condition is what a check came to, and no reason for the next one.
    if (isSame(before, remote)) return;
    this.availability().then(
      (availability) => availability.check(name),
      (error: unknown) => this.#core().log.error("aggregation could not be loaded", { err: error }),
    );
  }
}
