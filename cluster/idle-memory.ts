/**
 * Gives memory back once the process has nothing to do. V8 leaves its young generation as large as the last burst
 * needed (a start: 25 MB, of which nothing is in use any more), and collects only when there is work again.
 */
import { setFlagsFromString } from "node:v8";
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
/** Growth that is not worth a collection. */
const WORTH_BYTES = 12 << 20;
const LOOK_EVERY_MS = 5_000;

/** To be called every `everyMs`: collects when that time was idle and the heap has grown since the last collection. */
export function idleCollector(memory: ProcessMemory, everyMs: number): () => void {
  let before = memory.cpuMicroseconds();
  let kept = 0;
  return () => {
    const used = memory.cpuMicroseconds() - before;
    before += used;
    if (used > everyMs * 1000 * IDLE_SHARE || memory.heapBytes() < kept + WORTH_BYTES) return;
    memory.collect();
    // What is left is in use, or fragmented: it is not tried for again.
    kept = memory.heapBytes();
    before = memory.cpuMicroseconds();
  };
}

/** The collector by its name; Node offers it only where a flag asks for it, and the flag can be set at any time. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "major"; flavor: "last-resort" }) => void;
  // Any other flavor keeps the young generation as large as it is.
  return () => collect({ type: "major", flavor: "last-resort" });
}

/** Looks every few seconds; keeps no process alive. */
export function returnMemoryWhenIdle(): { close(): void } {
  const memory: ProcessMemory = {
    cpuMicroseconds: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    heapBytes: () => process.memoryUsage().heapTotal,
    collect: collector(),
  };
  const timer = setInterval(idleCollector(memory, LOOK_EVERY_MS), LOOK_EVERY_MS).unref();
  return { close: () => clearInterval(timer) };
}
