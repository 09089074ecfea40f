/** Durations as Go writes them: `30s`, `1m30s`, `500ms`. */

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds; undefined for what is no duration. */
export function parseDuration(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:\d+(?:\.\d+)?(?:ms|[hms]))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[hms])/g)];
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (UNIT_MS[unit ?? ""] ?? 0), 0);
}

/** The same, where a plain number means seconds. */
export const parseDurationOrSeconds = (text: string | undefined): number | undefined =>
  /^\d+(\.\d+)?$/.test(text ?? "") ? Number(text) * 1000 : parseDuration(text);
