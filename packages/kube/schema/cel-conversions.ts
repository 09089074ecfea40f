/** Conversions of CEL that the engine lacks: times and durations as text and as numbers. */
import type { Environment } from "@marcbachmann/cel-js";

const TIME = "google.protobuf.Timestamp";
const DURATION = "google.protobuf.Duration";

/** RFC 3339 without needless digits, as Go prints a time. */
const timeText = (time: Date): string => time.toISOString().replace(/\.?0*Z$/, "Z");

interface DurationValue {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Seconds with the fraction that there is, e.g. `90s`, `1.5s`. */
function durationText({ seconds, nanos }: DurationValue): string {
  const fraction = String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "");
  const sign = seconds === 0n && nanos < 0 ? "-" : "";
  return `${sign}${seconds}${fraction === "" ? "" : `.${fraction}`}s`;
}

const same = <T>(value: T): T => value;

export function addConversions(env: Environment): void {
  env.registerFunction(`string(${TIME}): string`, timeText);
  env.registerFunction(`string(${DURATION}): string`, durationText);
  env.registerFunction(`int(${TIME}): int`, (time: Date) => BigInt(Math.floor(time.getTime() / 1000)));
  env.registerFunction(`timestamp(${TIME}): ${TIME}`, same);
  env.registerFunction(`duration(${DURATION}): ${DURATION}`, same);
}
