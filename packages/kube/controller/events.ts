/**
 * Writes Events about objects. Repeats are counted on the one Event; many alike on one object are gathered into one;
 * an object that has too much to say is cut short. Recording never waits and never fails its caller.
 */
import { type Clock, formatTime, systemClock } from "../api/clock.ts";
import { type Logger, silentLogger } from "../api/logger.ts";
import type { KubeObject } from "../api/object.ts";
import { isNotFound, StatusError } from "../api/status-error.ts";
import type { CoreEvent } from "../api/types/cluster.ts";
import type { ObjectReference } from "../api/types/common.ts";
import type { KubeClient } from "../client/client.ts";
import { EVENTS } from "../client/resources.ts";

export type EventType = "Normal" | "Warning";

export interface EventRecorder {
  /** `fieldPath`: the part of the object that is meant (`spec.containers{web}`); `related`: on whose behalf. */
  record(
    object: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    fieldPath?: string,
    related?: KubeObject,
  ): void;
  /** Resolves when all that was recorded so far is written. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  host?: string;
  log?: Logger;
  /** What was being done, by reason. With them events are told in the newer way, as upstream's scheduler does. */
  actions?: Readonly<Record<string, string>>;
}

/** As client-go's correlator: this many different messages in the window, then they are gathered. */
const SIMILAR_MAX = 10;
const SIMILAR_WINDOW_MS = 600_000;
/** Tokens an object has for a source, and how fast they come back. */
const BURST = 25;
const REFILL_MS = 300_000;
const REMEMBERED = 4096;
const WRITERS = 4;

interface Known {
  event: CoreEvent;
}

interface Similar {
  messages: Set<string>;
  last: number;
}

interface Budget {
  tokens: number;
  at: number;
}

/** Forgets what was used longest ago. */
class Recent<V> {
  readonly #map = new Map<string, V>();

  get(key: string): V | undefined {
    const value = this.#map.get(key);
    if (value !== undefined) {
      this.#map.delete(key);
      this.#map.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= REMEMBERED) return;
    const oldest = this.#map.keys().next();
    if (oldest.done !== true) this.#map.delete(oldest.value);
  }

  delete(key: string): void {
    this.#map.delete(key);
  }
}

/** Where in a millisecond's nanoseconds a recorder starts to count: others tell of objects of the same name. */
function ownStart(identity: string): number {
  let hash = 0;
  for (const letter of identity) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 999_983;
  return hash;
}

/** Records as `component` (and `host`, for a kubelet). */
export function eventRecorder(
  client: KubeClient,
  component: string,
  clock: Clock = systemClock,
  options: EventRecorderOptions = {},
): EventRecorder {
  return new Recorder(client, component, clock, options);
}

interface Entry {
  readonly object: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly at: number;
  readonly fieldPath: string | undefined;
  readonly related: KubeObject | undefined;
}

/** The newer events have no source and no count: they happen at an instant, and their repeats are a series. */
type Told = Pick<
  CoreEvent,
  "action" | "related" | "eventTime" | "count" | "firstTimestamp" | "lastTimestamp" | "source"
>;

class Recorder implements EventRecorder {
  readonly #client: KubeClient;
  readonly #component: string;
  readonly #clock: Clock;
  readonly #host: string | undefined;
  readonly #actions: Readonly<Record<string, string>> | undefined;
  readonly #log: Logger;
  readonly #known = new Recent<Known>();
  readonly #similar = new Recent<Similar>();
  readonly #budgets = new Recent<Budget>();
  /** One chain an object keeps its events in order; a few at a time go out. */
  readonly #chains: Promise<void>[] = Array.from({ length: WRITERS }, () => Promise.resolve());
  #sequence: number;

  constructor(client: KubeClient, component: string, clock: Clock, options: EventRecorderOptions) {
    this.#client = client;
    this.#component = component;
    this.#clock = clock;
    this.#host = options.host;
    this.#actions = options.actions;
    this.#log = options.log ?? silentLogger;
    this.#sequence = ownStart(`${component}/${options.host ?? ""}`);
  }

  record(
    object: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    fieldPath?: string,
    related?: KubeObject,
  ): void {
    const uid = object.metadata.uid ?? "";
    if (!this.#allowed(uid)) return;
    const slot = uid === "" ? 0 : (uid.charCodeAt(0) + uid.charCodeAt(uid.length - 1)) % WRITERS;
    const entry: Entry = { object, type, reason, message, at: this.#clock.now(), fieldPath, related };
    this.#chains[slot] = (this.#chains[slot] ?? Promise.resolve()).then(() => this.#write(entry));
  }

  async flush(): Promise<void> {
    await Promise.all(this.#chains);
  }

  #allowed(uid: string): boolean {
    const now = this.#clock.now();
    const known = this.#budgets.get(uid) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, known.tokens + (now - known.at) / REFILL_MS);
    this.#budgets.set(uid, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  async #write(entry: Entry): Promise<void> {
    try {
      await this.#send(this.#gathered(entry));
    } catch (error) {
      // A namespace that is being deleted takes no new events; that is no fault.
      const ended = isNotFound(error) || (error instanceof StatusError && error.code === 403);
      this.#log[ended ? "debug" : "warn"]("an event was not written", { reason: entry.reason, err: error });
    }
  }

  #gathered(entry: Entry): Entry {
    const key = `${entry.object.metadata.uid}/${entry.type}/${entry.reason}`;
    const known = this.#similar.get(key);
    const similar =
      known === undefined || entry.at - known.last > SIMILAR_WINDOW_MS
        ? { messages: new Set<string>(), last: 0 }
        : known;
    if (similar.messages.size < SIMILAR_MAX) similar.messages.add(entry.message);
    similar.last = entry.at;
    this.#similar.set(key, similar);
    const over = similar.messages.size >= SIMILAR_MAX && !similar.messages.has(entry.message);
    return over ? { ...entry, message: `(combined from similar events): ${entry.message}` } : entry;
  }

  async #send(entry: Entry): Promise<void> {
    const combined = entry.message.startsWith("(combined from similar events)");
    const key = `${entry.object.metadata.uid}/${entry.fieldPath ?? ""}/${entry.type}/${entry.reason}/${combined ? "" : entry.message}`;
    const known = this.#known.get(key);
    if (known !== undefined && (await this.#repeat(known, entry))) return;
    const event = await this.#client.create(EVENTS, this.#event(entry));
    this.#known.set(key, { event });
  }

  async #repeat(known: Known, entry: Entry): Promise<boolean> {
    const { namespace = "", name = "" } = known.event.metadata;
    const { event } = known;
    const count = (event.series?.count ?? event.count ?? 1) + 1;
    const patch =
      this.#actions === undefined
        ? { count, lastTimestamp: formatTime(entry.at), message: entry.message }
        : { series: { count, lastObservedTime: micro(entry.at) }, message: entry.message };
    try {
      known.event = await this.#client.patch(EVENTS, namespace, name, "application/merge-patch+json", patch);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #event(entry: Entry): CoreEvent {
    const { object, type, reason, message, at, fieldPath } = entry;
    const { namespace, name = "" } = object.metadata;
    const home = namespace ?? "default";
    // Upstream's names: nanoseconds in hexadecimal; the sequence keeps two of one millisecond apart, its start two recorders.
    const stamp = (BigInt(at) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000)).toString(16);
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name}.${stamp}`, namespace: home },
      involvedObject: { ...referenceTo(object), ...(fieldPath === undefined ? {} : { fieldPath }) },
      reason,
      message: message.length > 1024 ? `${message.slice(0, 1021)}...` : message,
      type,
      ...this.#told(entry),
      reportingComponent: this.#component,
      reportingInstance: this.#host ?? (this.#actions === undefined ? "" : this.#component),
    };
  }

  #told({ reason, at, related }: Entry): Told {
    const action = this.#actions?.[reason];
    if (action !== undefined)
      return { action, eventTime: micro(at), ...(related === undefined ? {} : { related: referenceTo(related) }) };
    const time = formatTime(at);
    const source = { component: this.#component, ...(this.#host === undefined ? {} : { host: this.#host }) };
    return { count: 1, firstTimestamp: time, lastTimestamp: time, source };
  }
}

const micro = (at: number): string => new Date(at).toISOString().replace("Z", "000Z");

function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  return { apiVersion, kind, namespace, name, uid, resourceVersion };
}
