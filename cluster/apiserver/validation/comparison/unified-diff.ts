/**
 * A unified diff of two texts with three lines around each change, as Python's difflib makes it (and after it the
 * library that upstream uses): the longest common run first, then what is left and right of it.
 */

const CONTEXT = 3;
/** From this many lines on, lines that stand in more than a hundredth of all places do not begin a run. */
const LONG = 200;

/** What one comparison may cost, in lines looked at (some 30 ms): whoever may write may also write nonsense. */
const MOST_WORK = 2_000_000;
/** And how many lines may come of it. */
const MOST_LINES = 2_000;

/** `a[from..]` and `b[at..]` are the same for `size` lines. */
interface Run {
  readonly from: number;
  readonly at: number;
  readonly size: number;
}

interface Step {
  readonly same: boolean;
  readonly fromA: number;
  readonly toA: number;
  readonly fromB: number;
  readonly toB: number;
}

function placesOf(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [at, line] of lines.entries()) {
    const known = places.get(line);
    if (known === undefined) places.set(line, [at]);
    else known.push(at);
  }
  if (lines.length < LONG) return places;
  const most = Math.floor(lines.length / 100) + 1;
  return new Map([...places].filter(([, at]) => at.length <= most));
}

class Comparison {
  readonly #a: readonly string[];
  readonly #b: readonly string[];
  readonly #places: ReadonlyMap<string, readonly number[]>;
  #left = MOST_WORK;

  constructor(a: readonly string[], b: readonly string[]) {
    this.#a = a;
    this.#b = b;
    this.#places = placesOf(b);
  }

  /** The first of the longest runs within the given lines. */
  #longest(fromA: number, toA: number, fromB: number, toB: number): Run {
    let best: Run = { from: fromA, at: fromB, size: 0 };
    let before = new Map<number, number>();
    for (let i = fromA; i < toA; i++) {
      const here = new Map<number, number>();
      const places = this.#places.get(this.#a[i] ?? "") ?? [];
      this.#left -= 1 + places.length;
      if (this.#left < 0) return best;
      for (const j of places) {
        if (j < fromB || j >= toB) continue;
        const size = (before.get(j - 1) ?? 0) + 1;
        here.set(j, size);
        if (size > best.size) best = { from: i - size + 1, at: j - size + 1, size };
      }
      before = here;
    }
    return this.#widened(best, fromA, toA, fromB, toB);
  }

  /** Lines that may not begin a run may still belong to one. */
  #widened({ from, at, size }: Run, fromA: number, toA: number, fromB: number, toB: number): Run {
    let [start, place, length] = [from, at, size];
    while (start > fromA && place > fromB && this.#a[start - 1] === this.#b[place - 1]) {
      start--;
      place--;
      length++;
    }
    while (start + length < toA && place + length < toB && this.#a[start + length] === this.#b[place + length])
      length++;
    return { from: start, at: place, size: length };
  }

  /** In their order; undefined where finding them costs too much. */
  #runs(): Run[] | undefined {
    const found: Run[] = [];
    const open = [{ fromA: 0, toA: this.#a.length, fromB: 0, toB: this.#b.length }];
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      const { fromA, toA, fromB, toB } = part;
      if (fromA >= toA || fromB >= toB) continue;
      const run = this.#longest(fromA, toA, fromB, toB);
      if (this.#left < 0) return undefined;
      if (run.size === 0) continue;
      found.push(run);
      open.push({ fromA, toA: run.from, fromB, toB: run.at });
      open.push({ fromA: run.from + run.size, toA, fromB: run.at + run.size, toB });
    }
    return found.toSorted((one, other) => one.from - other.from);
  }

  steps(): Step[] | undefined {
    const runs = this.#runs();
    if (runs === undefined) return undefined;
    const steps: Step[] = [];
    let [a, b] = [0, 0];
    const end = { from: this.#a.length, at: this.#b.length, size: 0 };
    for (const { from, at, size } of [...runs, end]) {
      if (a < from || b < at) steps.push({ same: false, fromA: a, toA: from, fromB: b, toB: at });
      [a, b] = [from + size, at + size];
      const last = steps.at(-1);
      if (size === 0) continue;
      // Runs that touch are one.
      if (last?.same === true) steps[steps.length - 1] = { ...last, toA: a, toB: b };
      else steps.push({ same: true, fromA: from, toA: a, fromB: at, toB: b });
    }
    return steps;
  }
}

/** Changes with the lines around them; those whose surroundings meet are told together. */
function hunks(steps: readonly Step[]): Step[][] {
  const found: Step[][] = [];
  let hunk: Step[] = [];
  steps.forEach((step, i) => {
    if (!step.same) return void hunk.push(step);
    const head = { ...step, toA: step.fromA + CONTEXT, toB: step.fromB + CONTEXT };
    const tail = {
      ...step,
      fromA: Math.max(step.fromA, step.toA - CONTEXT),
      fromB: Math.max(step.fromB, step.toB - CONTEXT),
    };
    if (i === 0) return void hunk.push(tail);
    if (i === steps.length - 1) return void hunk.push(step.toA - step.fromA > CONTEXT ? head : step);
    if (step.toA - step.fromA <= 2 * CONTEXT) return void hunk.push(step);
    found.push([...hunk, head]);
    hunk = [tail];
  });
  if (hunk.some(({ same }) => !same)) found.push(hunk);
  return found.filter((some) => some.some(({ same }) => !same));
}

function range(from: number, to: number): string {
  const size = to - from;
  if (size === 1) return String(from + 1);
  return `${size === 0 ? from : from + 1},${size}`;
}

/** The changes from `a` to `b`; empty where there are none, undefined where there are too many to be told. */
export function unifiedDiff(a: string, b: string): string | undefined {
  const [linesA, linesB] = [a.split("\n"), b.split("\n")];
  const steps = new Comparison(linesA, linesB).steps();
  if (steps === undefined) return undefined;
  const out: string[] = [];
  for (const hunk of hunks(steps)) {
    const [first, last] = [hunk[0], hunk.at(-1)];
    if (first === undefined || last === undefined) continue;
    out.push(`@@ -${range(first.fromA, last.toA)} +${range(first.fromB, last.toB)} @@`);
    for (const { same, fromA, toA, fromB, toB } of hunk) {
      if (out.length + (toA - fromA) + (toB - fromB) > MOST_LINES) return undefined;
      out.push(...linesA.slice(fromA, toA).map((line) => `${same ? " " : "-"}${line}`));
      if (!same) out.push(...linesB.slice(fromB, toB).map((line) => `+${line}`));
    }
  }
  return out.map((line) => `${line}\n`).join("");
}
