/** Runs one reconcile function for the keys that its informers name: level-triggered, each key once at a time. */
import { type Clock, systemClock } from "../api/clock.ts";
import { type Logger, silentLogger } from "../api/logger.ts";
import type { KubeObject } from "../api/object.ts";
import { isConflict } from "../api/status-error.ts";
import type { Informer, InformerEvent } from "./informer.ts";
import { WorkQueue } from "./work-queue.ts";

export interface ControllerSource {
  /** Wires the informer to the queue; returns how to undo it. */
  connect(add: (key: string) => void): () => void;
  synced(): Promise<void>;
}

/** Which keys an informer's events concern. */
export function sourceOf<T extends KubeObject>(
  informer: Informer<T>,
  keys: (event: InformerEvent<T>) => readonly string[],
): ControllerSource {
  return {
    connect: (add) => informer.onEvent((event) => keys(event).forEach(add)),
    synced: () => informer.synced(),
  };
}

export type ReconcileResult = void | { requeueAfterMs?: number };

export interface ControllerOptions {
  name: string;
  workers?: number;
  reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  sources: readonly (
    | ControllerSource
    | { informer: Informer; keys: (event: InformerEvent<KubeObject>) => readonly string[] }
  )[];
  signal: AbortSignal;
  clock?: Clock;
  log?: Logger;
  /** For those who add keys themselves. */
  queue?: WorkQueue;
}

const KEYS_A_TURN = 64;

/** Resolves once `signal` has aborted and what was under way has ended. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { signal } = options;
  const clock = options.clock ?? systemClock;
  const log = (options.log ?? silentLogger).child({ controller: options.name });
  const queue = options.queue ?? new WorkQueue({ clock });
  const sources = options.sources.map((source) =>
    "connect" in source ? source : sourceOf(source.informer, source.keys),
  );
  const disconnect = sources.map((source) => source.connect((key) => queue.add(key)));
  const onAbort = (): void => queue.close();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) queue.close();
  try {
    await Promise.all(sources.map((source) => source.synced()));
  } catch (error) {
    queue.close();
    if (!signal.aborted) throw error;
  }
  const worker = async (): Promise<void> => {
    let inARow = 0;
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      await workOn(key, queue, options, log);
      // Reconciling what needs nothing never leaves the turn: thousands of keys would hold up everyone else.
      if (++inARow % KEYS_A_TURN === 0 && queue.length > 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? 1 }, worker));
  for (const undo of disconnect) undo();
  signal.removeEventListener("abort", onAbort);
}

async function workOn(key: string, queue: WorkQueue, options: ControllerOptions, log: Logger): Promise<void> {
  try {
    const result = await options.reconcile(key, options.signal);
    queue.forget(key);
    if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
  } catch (error) {
    if (options.signal.aborted) return;
    // A conflict only says that the cache is behind: the event that brings it up is on its way.
    if (isConflict(error)) log.debug("conflict, tried again", { key });
    else log.warn("failed, tried again", { key, err: error });
    queue.addRateLimited(key);
  } finally {
    queue.done(key);
  }
}
