/** Why a text is no schedule of a CronJob; the words are those of the parser that upstream uses. */

interface Bounds {
  readonly low: number;
  readonly high: number;
  readonly names: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: readonly Bounds[] = [
  { low: 0, high: 59, names: [] },
  { low: 0, high: 23, names: [] },
  { low: 1, high: 31, names: [] },
  { low: 1, high: 12, names: MONTHS },
  { low: 0, high: 6, names: DAYS },
];
const DESCRIPTORS: ReadonlySet<string> = new Set([
  "@yearly",
  "@annually",
  "@monthly",
  "@weekly",
  "@daily",
  "@midnight",
  "@hourly",
]);

class Fault extends Error {}

function integer(text: string, bounds: Bounds): number {
  const name = bounds.names.indexOf(text.toLowerCase());
  if (name >= 0) return name + bounds.low;
  if (!/^[+-]?\d+$/.test(text))
    throw new Fault(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (value < 0) throw new Fault(`negative number (${value}) not allowed: ${text}`);
  return value;
}

/** `*`, `5`, `1-5`, each with `/step`. */
function checkRange(expression: string, bounds: Bounds): void {
  const [range = "", step, ...moreSteps] = expression.split("/");
  const [from = "", to, ...moreEnds] = range.split("-");
  let [start, end] = [bounds.low, bounds.high];
  if (from !== "*" && from !== "?") {
    start = integer(from, bounds);
    if (moreEnds.length > 0) throw new Fault(`too many hyphens: ${expression}`);
    end = to === undefined ? start : integer(to, bounds);
  }
  if (moreSteps.length > 0) throw new Fault(`too many slashes: ${expression}`);
  const stride = step === undefined ? 1 : integer(step, { ...bounds, names: [] });
  if (step !== undefined && to === undefined) end = bounds.high;
  if (start < bounds.low) throw new Fault(`beginning of range (${start}) below minimum (${bounds.low}): ${expression}`);
  if (end > bounds.high) throw new Fault(`end of range (${end}) above maximum (${bounds.high}): ${expression}`);
  if (start > end) throw new Fault(`beginning of range (${start}) beyond end of range (${end}): ${expression}`);
  if (stride === 0) throw new Fault(`step of range should be a positive number: ${expression}`);
}

const UNITS: ReadonlySet<string> = new Set(["ns", "us", "µs", "ms", "s", "m", "h"]);

function durationFault(text: string): string | undefined {
  const shown = JSON.stringify(text);
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return undefined;
  if (rest === "") return `time: invalid duration ${shown}`;
  while (rest !== "") {
    const [matched = "", digits = "", unit = ""] = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest) ?? [];
    if (digits === "") return `time: invalid duration ${shown}`;
    if (unit === "") return `time: missing unit in duration ${shown}`;
    if (!UNITS.has(unit)) return `time: unknown unit ${JSON.stringify(unit)} in duration ${shown}`;
    rest = rest.slice(matched.length);
  }
  return undefined;
}

function checkDescriptor(text: string): void {
  if (DESCRIPTORS.has(text)) return;
  if (!text.startsWith("@every ")) throw new Fault(`unrecognized descriptor: ${text}`);
  const fault = durationFault(text.slice("@every ".length));
  if (fault !== undefined) throw new Fault(`failed to parse duration ${text}: ${fault}`);
}

function check(schedule: string): void {
  if (schedule.startsWith("@")) return checkDescriptor(schedule);
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== FIELDS.length)
    throw new Fault(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  FIELDS.forEach((bounds, i) =>
    (fields[i] ?? "")
      .split(",")
      .filter((part) => part !== "")
      .forEach((part) => checkRange(part, bounds)),
  );
}

/** Undefined for a schedule that works. */
export function scheduleFault(schedule: string): string | undefined {
  try {
    check(schedule);
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
