/** The times of the API as text: what is accepted, why it is not, and how it is written back. */

const PARTS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["2006", /^\d{4}/],
  ["-", /^-/],
  ["01", /^\d{2}/],
  ["-", /^-/],
  ["02", /^\d{2}/],
  ["T", /^T/],
  ["15", /^\d{2}/],
  [":", /^:/],
  ["04", /^\d{2}/],
  [":", /^:/],
  ["05", /^\d{2}/],
];
/** What nearly every time looks like. */
const PLAIN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z$/;
const ZONE = /^(?:Z|[+-]\d{2}:\d{2})/;

function outOfRange(text: string): string | undefined {
  const at = (from: number): number => Number(text.slice(from, from + 2));
  const month = at(5);
  if (month < 1 || month > 12) return "month";
  if (at(8) < 1 || at(8) > new Date(Date.UTC(Number(text.slice(0, 4)), month, 0)).getUTCDate()) return "day";
  if (at(11) > 23) return "hour";
  if (at(14) > 59) return "minute";
  return at(17) > 59 ? "second" : undefined;
}

/** Why `text` is no time of the API, in the words of Go's `time.Parse`; undefined when it is one. */
export function timeError(text: string, micro: boolean): string | undefined {
  if (PLAIN.test(text) && text.length === (micro ? 27 : 20) && outOfRange(text) === undefined) return undefined;
  const layout = micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  const fail = (rest: string, part: string): string =>
    `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(part)}`;
  let rest = text;
  for (const [name, pattern] of PARTS) {
    const match = pattern.exec(rest);
    if (match === null) return fail(rest, name);
    rest = rest.slice(match[0].length);
  }
  const fraction = (micro ? /^\.\d{6}/ : /^\.\d+/).exec(rest);
  if (micro && fraction === null) return fail(rest, ".000000");
  rest = rest.slice(fraction?.[0].length ?? 0);
  const zone = ZONE.exec(rest);
  if (zone === null) return fail(rest, "Z07:00");
  if (zone[0].length < rest.length)
    return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest.slice(zone[0].length))}`;
  const part = outOfRange(text);
  return part === undefined ? undefined : `parsing time ${JSON.stringify(text)}: ${part} out of range`;
}

/** A valid time as it is stored: UTC, whole seconds or (micro) six digits. */
export function canonicalTime(text: string, micro: boolean): string {
  if (text.endsWith("Z") && text.length === (micro ? 27 : 20)) return text;
  const fraction = micro ? (/\.(\d{6})/.exec(text)?.[1] ?? "000000") : "";
  const iso = new Date(text.replace(/\.\d+/, "")).toISOString().slice(0, 19);
  return micro ? `${iso}.${fraction}Z` : `${iso}Z`;
}
