/**
 * API priority and fairness: every request is classified by the FlowSchemas, and takes a seat of its priority level.
 * The levels' seats are shares of what the server serves at once; free ones that a level lends are used by others.
 */
import { formatTime, type Clock } from "@travelops/kube/api/clock";
import type { KubeObject } from "@travelops/kube";
import type { Logger } from "@travelops/kube/api/logger";
import type { Store } from "../../store/store.ts";
import type { UserInfo } from "../api-server.ts";
import type { RequestInfo } from "../request/request-info.ts";
import { array, read, text } from "../registry/printers/printer.ts";
import { systemActor } from "../system/system-actor.ts";
import { bootstrapLevels, bootstrapSchemas, danglingCondition, LEVELS, SCHEMAS } from "./bootstrap-objects.ts";
import { compileSchema, flowOf, inOrder, type CompiledSchema } from "./classify.ts";
import { listWidth, type Listing } from "./list-width.ts";
import { PriorityLevel, type Leave, type LevelLimits } from "./priority-level.ts";

/** Where a request was put: goes into its answer's headers. */
export interface Classified {
  readonly schemaUid: string;
  readonly levelUid: string;
  /** Taken when `level.enter` is called. */
  readonly level: PriorityLevel;
  readonly flow: string;
}

interface ServedLevel {
  readonly level: PriorityLevel;
  readonly uid: string;
}

export interface FlowControlOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly uuid: () => string;
  /** Requests served at once, over all levels. */
  readonly seats: number;
}

const REPAIR_MS = 1_000;

export class FlowControl {
  readonly #options: FlowControlOptions;
  #schemas: readonly CompiledSchema[] | undefined;
  #levels = new Map<string, ServedLevel>();
  readonly #stops: (() => void)[] = [];
  #repair: (() => void) | undefined;
  #closed = false;

  constructor(options: FlowControlOptions) {
    this.#options = options;
  }

  /** Follows the objects, and keeps those that every server has. */
  start(): void {
    const { store } = this.#options;
    for (const table of [LEVELS, SCHEMAS])
      this.#stops.push(
        store.watch(table, store.revision, () => {
          this.#schemas = undefined;
          this.#repair ??= this.#options.clock.setTimeout(() => {
            this.#repair = undefined;
            this.#upkeep();
          }, this.#delay());
        }),
      );
    this.#upkeep();
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#repair?.();
  }

  /** What is missing comes back after a moment; statuses follow at once. */
  #delay(): number {
    return missing(this.#options.store, this.#options.clock).length > 0 ? REPAIR_MS : 0;
  }

  classify(user: UserInfo, info: RequestInfo): Classified {
    const schemas = this.#schemas ?? this.#compile();
    for (const schema of schemas) {
      if (!schema.matches(user, info)) continue;
      const served = this.#levels.get(schema.level);
      if (served === undefined) continue;
      return { schemaUid: schema.uid, levelUid: served.uid, level: served.level, flow: flowOf(schema, user, info) };
    }
    return { schemaUid: "", levelUid: "", level: this.#fallback, flow: user.name };
  }

  /** The seats a list takes of the level, or a watch. */
  width({ level }: Classified, listing: Listing): number {
    return level.seats === Infinity ? 1 : listWidth(this.#options.store, listing, level.mostSeats);
  }

  /** For requests that no schema takes: while those of the bootstrap are missing. */
  get #fallback(): PriorityLevel {
    let served = this.#levels.get("");
    if (served === undefined) {
      const limits = { seats: 1, lendable: 0, borrowing: 0, queues: 0, handSize: 0, queueLength: 0 };
      served = { level: new PriorityLevel(limits, this.#options.clock), uid: "" };
      this.#levels.set("", served);
    }
    return served.level;
  }

  #compile(): readonly CompiledSchema[] {
    const { store, clock, seats } = this.#options;
    const objects = store.list(LEVELS).items.map(({ object }) => object);
    const total = objects.reduce((sum, object) => sum + sharesOf(object), 0);
    const levels = new Map<string, ServedLevel>();
    for (const object of objects) {
      const name = object.metadata.name ?? "";
      const limits = limitsOf(object, seats, total);
      const before = this.#levels.get(name);
      before?.level.limit(limits);
      levels.set(name, {
        level: before?.level ?? new PriorityLevel(limits, clock, this.#spare),
        uid: object.metadata.uid ?? "",
      });
    }
    this.#levels = levels;
    return (this.#schemas = inOrder(store.list(SCHEMAS).items.map(({ object }) => compileSchema(object))));
  }

  /** What is lent and not yet borrowed, over all levels. Asked only when a level's own seats are taken. */
  readonly #spare = (): number => {
    let spare = 0;
    for (const { level } of this.#levels.values()) spare += level.lent - level.borrowed;
    return spare;
  };

  #upkeep(): void {
    Promise.all([this.#restore(), this.#statuses()]).catch((error: unknown) => {
      if (!this.#closed) this.#options.log.warn("the objects of flow control could not be kept", { err: error });
    });
  }

  async #restore(): Promise<void> {
    const { store, clock, uuid } = this.#options;
    await Promise.all(
      missing(store, clock).map(([table, object]) =>
        store.write({ table, namespace: "", name: object.metadata.name ?? "" }, systemActor("create"), (current) => {
          if (current !== undefined) return { op: "none" };
          const metadata = { ...object.metadata, uid: uuid(), creationTimestamp: formatTime(clock.now()) };
          return { op: "put", object: { ...object, metadata } };
        }),
      ),
    );
  }

  /** The condition Dangling: whether a schema's level is there. */
  async #statuses(): Promise<void> {
    const { store, clock } = this.#options;
    await Promise.all(
      store.list(SCHEMAS).items.map(async ({ key, object }) => {
        const wanted = dangling(store, object, formatTime(clock.now()));
        if (hasCondition(object, wanted)) return undefined;
        return store.write(key, systemActor("update"), (current) => {
          if (current === undefined || hasCondition(current.object, wanted)) return { op: "none" };
          const others = array(read(current.object, "status", "conditions")).filter(
            (each) => read(each, "type") !== "Dangling",
          );
          return { op: "put", object: { ...current.object, status: { conditions: [...others, wanted] } } };
        });
      }),
    );
  }

  /** Prometheus' text, by level. */
  render(): string {
    const lines: string[] = [];
    const metric = (name: string, type: string, value: (level: PriorityLevel) => number): void => {
      lines.push(`# TYPE ${name} ${type}`);
      for (const [label, { level }] of this.#levels)
        if (label !== "") lines.push(`${name}{priority_level=${JSON.stringify(label)}} ${value(level)}`);
    };
    metric("apiserver_flowcontrol_current_executing_requests", "gauge", (level) => level.executing);
    metric("apiserver_flowcontrol_current_executing_seats", "gauge", (level) => level.seated);
    metric("apiserver_flowcontrol_current_inqueue_requests", "gauge", (level) => level.waiting);
    metric("apiserver_flowcontrol_dispatched_requests_total", "counter", (level) => level.dispatched);
    metric("apiserver_flowcontrol_rejected_requests_total", "counter", (level) => level.rejected);
    return `${lines.join("\n")}\n`;
  }
}

export type { Leave };

function missing(store: Store, clock: Clock): [table: string, object: KubeObject][] {
  const absent = (table: string, objects: readonly KubeObject[]): [string, KubeObject][] =>
    objects
      .filter(({ metadata }) => store.get({ table, namespace: "", name: metadata.name ?? "" }) === undefined)
      .map((object) => [table, object]);
  return [...absent(LEVELS, bootstrapLevels()), ...absent(SCHEMAS, bootstrapSchemas(formatTime(clock.now())))];
}

function dangling(store: Store, schema: KubeObject, now: string) {
  const name = text(read(schema, "spec", "priorityLevelConfiguration", "name"));
  return danglingCondition(name, store.get({ table: LEVELS, namespace: "", name }) !== undefined, now);
}

function hasCondition(schema: KubeObject, wanted: { status: string; message: string }): boolean {
  return array(read(schema, "status", "conditions")).some(
    (each) =>
      read(each, "type") === "Dangling" &&
      read(each, "status") === wanted.status &&
      read(each, "message") === wanted.message,
  );
}

const numberAt = (object: unknown, ...path: string[]): number => {
  const value = read(object, ...path);
  return typeof value === "number" ? value : 0;
};

const sharesOf = (object: KubeObject): number =>
  text(read(object, "spec", "type")) === "Limited"
    ? numberAt(object, "spec", "limited", "nominalConcurrencyShares")
    : numberAt(object, "spec", "exempt", "nominalConcurrencyShares");

function limitsOf(object: KubeObject, seats: number, totalShares: number): LevelLimits {
  if (text(read(object, "spec", "type")) !== "Limited")
    return { seats: Infinity, lendable: 0, borrowing: 0, queues: 0, handSize: 0, queueLength: 0 };
  const shares = sharesOf(object);
  const response = read(object, "spec", "limited", "limitResponse");
  const queuing = read(response, "queuing");
  const own = shares === 0 ? 0 : Math.ceil((seats * shares) / Math.max(totalShares, 1));
  const percent = read(object, "spec", "limited", "borrowingLimitPercent");
  return {
    seats: own,
    lendable: Math.round((own * numberAt(object, "spec", "limited", "lendablePercent")) / 100),
    borrowing: typeof percent === "number" ? Math.round((own * percent) / 100) : Infinity,
    queues: text(read(response, "type")) === "Queue" ? numberAt(queuing, "queues") : 0,
    handSize: numberAt(queuing, "handSize"),
    queueLength: numberAt(queuing, "queueLengthLimit"),
  };
}
