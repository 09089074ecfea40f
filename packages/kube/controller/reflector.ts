/**
 * Follows one resource: its state once, then every change, for ever. Streams the state as a watch (WatchList)
 * where the server does that, else lists; goes on from the last resourceVersion after a break, and starts anew
 * when that is too old. The informer keeps what it delivers; others may keep less.
 */
import { type Clock, sleep, systemClock } from "../api/clock.ts";
import { type Logger, silentLogger } from "../api/logger.ts";
import type { KubeList, KubeObject } from "../api/object.ts";
import { isExpired, type Status, StatusError } from "../api/status-error.ts";
import type { WatchFrame } from "../client/transport.ts";

export interface ReflectorSource<T extends KubeObject> {
  list(signal: AbortSignal): Promise<KubeList<T>>;
  watch(options: {
    resourceVersion?: string;
    sendInitialEvents?: boolean;
    signal: AbortSignal;
  }): AsyncIterable<WatchFrame>;
}

export interface ReflectorSink<T extends KubeObject> {
  /** The whole state at a revision: what is not in `objects` is gone. */
  replace(objects: readonly T[], resourceVersion: string): void;
  upsert(object: T): void;
  remove(object: T): void;
  /** Everything up to this revision has been delivered. */
  reached?(resourceVersion: string): void;
}

export interface ReflectorOptions {
  /** For the log. */
  name: string;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
}

const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 30_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Why a watch ended when it was not by itself. */
class WatchFailure extends Error {
  readonly error: StatusError;
  constructor(error: StatusError) {
    super(error.message);
    this.error = error;
  }
}

interface State {
  /** Undefined: the state must be read anew. */
  resourceVersion: string | undefined;
  /** False once the server refused to stream the state. */
  watchList: boolean;
  backoff: number;
}

/** Runs until `signal` aborts. Never rejects: what fails is logged and tried again, ever more slowly. */
export async function runReflector<T extends KubeObject>(
  source: ReflectorSource<T>,
  sink: ReflectorSink<T>,
  signal: AbortSignal,
  options: ReflectorOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const random = options.random ?? Math.random;
  const state: State = { resourceVersion: undefined, watchList: true, backoff: FIRST_BACKOFF_MS };
  while (!signal.aborted) {
    const began = clock.now();
    try {
      await follow(source, sink, state, signal);
      // The server ends watches now and then; one that ends at once is not asked again in a tight loop.
      if (clock.now() - began > 1000) continue;
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error, state, options.name, log);
    }
    const wait = state.backoff * (1 + random() / 2);
    state.backoff = Math.min(state.backoff * 2, LONGEST_BACKOFF_MS);
    await sleep(clock, wait, signal).catch(() => {});
  }
}

function onFailure(error: unknown, state: State, name: string, log: Logger): void {
  const cause = error instanceof WatchFailure ? error.error : error;
  if (isExpired(cause) || isTooLarge(cause)) {
    log.debug("the watch is too old, the state is read anew", { resource: name });
    state.resourceVersion = undefined;
    return;
  }
  if (cause instanceof StatusError && cause.code === 404) log.debug("not served yet", { resource: name });
  else log.warn("the watch broke and is opened again", { resource: name, err: cause });
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof StatusError &&
  error.status.details?.causes?.some((cause) => cause.reason === "ResourceVersionTooLarge") === true;

async function follow<T extends KubeObject>(
  source: ReflectorSource<T>,
  sink: ReflectorSink<T>,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  if (state.resourceVersion === undefined && state.watchList) {
    try {
      await streamState(source, sink, state, signal);
      return;
    } catch (error) {
      const refused = error instanceof WatchFailure ? error.error : error;
      // Once the state is in, an error is one of the watch. Before, a server's refusal means: list instead.
      if (state.resourceVersion !== undefined || !(refused instanceof StatusError) || isBusy(refused)) throw error;
      state.watchList = false;
    }
  }
  if (state.resourceVersion === undefined) {
    const list = await source.list(signal);
    if (signal.aborted) return;
    state.resourceVersion = list.metadata.resourceVersion ?? "";
    sink.replace(list.items, state.resourceVersion);
    state.watchList = true;
  }
  await watch(source.watch({ resourceVersion: state.resourceVersion, signal }), sink, state, signal);
}

const isBusy = (error: StatusError): boolean => error.code === 429 || error.code === 401 || error.code === 503;

/** The state as ADDED frames up to a marked bookmark; nothing reaches the sink before that. */
async function streamState<T extends KubeObject>(
  source: ReflectorSource<T>,
  sink: ReflectorSink<T>,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  let initial: Map<string, T> | undefined = new Map();
  for await (const frame of source.watch({ sendInitialEvents: true, signal })) {
    if (signal.aborted) return;
    if (initial === undefined) {
      deliver(frame, sink, state);
      continue;
    }
    const object = objectOf<T>(frame);
    const key = `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;
    if (frame.type === "DELETED") initial.delete(key);
    else if (frame.type !== "BOOKMARK") initial.set(key, object);
    else if (object.metadata.annotations?.[INITIAL_EVENTS_END] === "true") {
      sink.replace([...initial.values()], object.metadata.resourceVersion ?? "");
      initial = undefined;
      progress(state, object);
    }
  }
  if (initial !== undefined && !signal.aborted) throw new Error("the watch ended before the state was complete");
}

async function watch<T extends KubeObject>(
  frames: AsyncIterable<WatchFrame>,
  sink: ReflectorSink<T>,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  for await (const frame of frames) {
    if (signal.aborted) return;
    deliver(frame, sink, state);
  }
}

function deliver<T extends KubeObject>(frame: WatchFrame, sink: ReflectorSink<T>, state: State): void {
  const object = objectOf<T>(frame);
  if (frame.type === "DELETED") sink.remove(object);
  else if (frame.type !== "BOOKMARK") sink.upsert(object);
  progress(state, object);
  if (state.resourceVersion !== undefined) sink.reached?.(state.resourceVersion);
}

function progress(state: State, object: KubeObject): void {
  const { resourceVersion } = object.metadata;
  if (resourceVersion !== undefined && resourceVersion !== "") state.resourceVersion = resourceVersion;
  state.backoff = FIRST_BACKOFF_MS;
}

function objectOf<T extends KubeObject>(frame: WatchFrame): T {
  if (frame.type === "ERROR") throw new WatchFailure(StatusError.from(frame.object as Status));
  return frame.object as T;
}
