/**
 * Gives memory back once the process has nothing to do. V8 leaves its young generation as large as the last burst
 * needed (a start: 25 MB, of which nothing is in use any more), and collects only when there is work again.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface ProcessMemory {
  /** Microseconds of CPU time since the start of the process. */
  cpuMicroseconds(): number;
  /** Bytes that the heap holds of the system. */
  heapBytes(): number;
  collect(): void;
}

/** A process counts as idle below this share of a core. */
const IDLE_SHARE = 0.02;
/** Growth that is not worth a collection; what a start leaves always is. */
const WORTH_BYTES = 12 << 20;
const LOOK_EVERY_MS = 5_000;
const FIRST_LOOKS_MS = 1_000;

/**
 * To be called again and again, with the time since the last call: collects when that was idle, for the first time or
 * after the heap has grown. Says when it wants to be called next.
 */
export function idleCollector(memory: ProcessMemory): (sinceMs: number) => number {
  let before = memory.cpuMicroseconds();
  let kept: number | undefined;
  return (sinceMs) => {
    const used = memory.cpuMicroseconds() - before;
    before += used;
    const idle = used <= sinceMs * 1000 * IDLE_SHARE;
    if (idle && (kept === undefined || memory.heapBytes() >= kept + WORTH_BYTES)) {
      memory.collect();
      // What is left is in use, or fragmented: it is not tried for again.
      kept = memory.heapBytes();
      before = memory.cpuMicroseconds();
    }
    return kept === undefined ? FIRST_LOOKS_MS : LOOK_EVERY_MS;
  };
}

/**
 * The collector by its name; Node offers it only where a flag asks for it, and the flag can be set at any time. It is
 * taken back at once: it would have Node refuse the code it has cached, and cache anew what no other process takes.
 */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "major"; flavor: "last-resort" }) => void;
  setFlagsFromString("--no-expose-gc");
  // Any other flavor keeps the young generation as large as it is.
  return () => collect({ type: "major", flavor: "last-resort" });
}

/** Looks every second until what the start left is given back, then every few seconds; keeps no process alive. */
export function returnMemoryWhenIdle(): { close(): void } {
  const look = idleCollector({
    cpuMicroseconds: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    heapBytes: () => getHeapStatistics().total_heap_size,
    collect: collector(),
  });
  let timer: NodeJS.Timeout;
  const lookIn = (ms: number): void => {
    timer = setTimeout(() => lookIn(look(ms)), ms).unref();
  };
  lookIn(FIRST_LOOKS_MS);
  return { close: () => clearTimeout(timer) };
}
