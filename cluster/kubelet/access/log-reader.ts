/** Reads a container's log files (CRI format) with the options of `kubectl logs`. */
import { watch } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Milliseconds since the epoch; lines before it are left out. */
  readonly since?: number;
  readonly limitBytes?: number;
  /** False once nothing more will be written: following ends there. */
  readonly active: () => boolean;
}

const CHUNK = 64 * 1024;
const ROTATED = 5;
/** While following: how often to look at whether the container still runs. */
const LOOK_MS = 250;

/** The text of the log, in chunks. */
export async function* readLog(file: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const lines of rawLines(file, options, signal)) {
    const out = formatLines(lines, options);
    if (out.length === 0) continue;
    if (out.length >= left) {
      yield out.subarray(0, left);
      return;
    }
    left -= out.length;
    yield out;
  }
}

/** Whole lines as they stand in the files, oldest first. */
async function* rawLines(file: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  const start = await startOf(file, options.tailLines);
  for (const { path, offset } of start.older) yield* fileLines(path, offset);
  let handle = await tryOpen(file);
  const changes = options.follow ? new Changes(file, signal) : undefined;
  let position = start.offset;
  let rest: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const active = options.active();
      if (handle !== undefined) {
        for await (const chunk of chunks(handle, position)) {
          position += chunk.length;
          const whole: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
          const end = whole.lastIndexOf(10) + 1;
          rest = Buffer.from(whole.subarray(end));
          if (end > 0) yield whole.subarray(0, end);
        }
        if (changes !== undefined && (await wasRotated(handle, file))) {
          await handle.close();
          handle = await tryOpen(file);
          position = 0;
          continue;
        }
      }
      // What was written between the last read and the end has been read: `active` was asked before.
      if (changes === undefined || !active || signal.aborted) return;
      await changes.next();
      handle ??= await tryOpen(file);
    }
  } finally {
    changes?.close();
    await handle?.close();
  }
}

async function* fileLines(path: string, offset: number): AsyncGenerator<Buffer> {
  const handle = await tryOpen(path);
  if (handle === undefined) return;
  try {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of chunks(handle, offset)) {
      const whole: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = whole.lastIndexOf(10) + 1;
      rest = Buffer.from(whole.subarray(end));
      if (end > 0) yield whole.subarray(0, end);
    }
  } finally {
    await handle.close();
  }
}

async function* chunks(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  for (let position = from; ;) {
    const buffer = Buffer.allocUnsafe(CHUNK);
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Where the last `tail` lines begin; without `tail`, at the very beginning. */
async function startOf(
  file: string,
  tail: number | undefined,
): Promise<{ older: { path: string; offset: number }[]; offset: number }> {
  const older: { path: string; offset: number }[] = [];
  let missing = tail ?? Number.POSITIVE_INFINITY;
  const current = await lineStart(file, missing);
  missing -= current.lines;
  for (let i = 1; i < ROTATED && missing > 0; i++) {
    const path = `${file}.${i}`;
    const start = await lineStart(path, missing);
    if (start.lines === 0) break;
    missing -= start.lines;
    older.unshift({ path, offset: start.offset });
  }
  return { older, offset: current.offset };
}

/** The offset at which the last `wanted` lines begin, and how many there are. */
async function lineStart(path: string, wanted: number): Promise<{ offset: number; lines: number }> {
  const handle = await tryOpen(path);
  if (handle === undefined) return { offset: 0, lines: 0 };
  try {
    const { size } = await handle.stat();
    if (wanted === Number.POSITIVE_INFINITY) return { offset: 0, lines: size > 0 ? 1 : 0 };
    if (wanted <= 0) return { offset: size, lines: 0 };
    let lines = 0;
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let end = size; end > 0;) {
      const from = Math.max(0, end - CHUNK);
      await handle.read(buffer, 0, end - from, from);
      for (let i = end - from - 1; i >= 0; i--) {
        if (buffer[i] !== 10) continue;
        // The newline that ends the last line begins none.
        if (from + i !== size - 1) lines++;
        if (lines === wanted) return { offset: from + i + 1, lines };
      }
      end = from;
    }
    return { offset: 0, lines: size > 0 ? lines + 1 : 0 };
  } finally {
    await handle.close();
  }
}

function formatLines(lines: Buffer, options: LogOptions): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(10, at);
    const line = lines.subarray(at, end + 1);
    at = end + 1;
    const stampEnd = line.indexOf(32);
    const flagAt = line.indexOf(32, stampEnd + 1) + 1;
    if (stampEnd < 0 || flagAt <= 0) continue;
    const stamp = line.subarray(0, stampEnd);
    if (options.since !== undefined && Date.parse(stamp.toString("latin1")) < options.since) continue;
    const partial = line[flagAt] === 80;
    const text = line.subarray(flagAt + 2, partial ? line.length - 1 : line.length);
    if (options.timestamps) out.push(stamp, SPACE);
    out.push(text);
  }
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out);
}

const SPACE = Buffer.from(" ");

async function tryOpen(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch {
    return undefined;
  }
}

async function wasRotated(handle: FileHandle, path: string): Promise<boolean> {
  try {
    const [mine, now] = await Promise.all([handle.stat(), stat(path)]);
    return mine.ino !== now.ino;
  } catch {
    return false;
  }
}

/** Wakes when the file changes, and now and then. */
class Changes {
  readonly #watcher: ReturnType<typeof watch> | undefined;
  #wake: (() => void) | undefined;
  #changed = false;
  readonly #onAbort = (): void => this.#notify();
  readonly #signal: AbortSignal;

  constructor(file: string, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
    const name = basename(file);
    try {
      this.#watcher = watch(dirname(file), (_event, changed) => {
        if (changed === null || changed === name) this.#notify();
      });
      this.#watcher.on("error", () => {});
    } catch {
      // No watches left, or the directory is gone: the timer does it.
    }
  }

  #notify(): void {
    this.#changed = true;
    this.#wake?.();
  }

  async next(): Promise<void> {
    if (this.#changed || this.#signal.aborted) {
      this.#changed = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    this.#changed = false;
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#watcher?.close();
  }
}
