/** Whether two servers gave the same answer, whatever differs by chance. */
import { isObject } from "@travelops/kube/schema/json-value";

export interface Answer {
  readonly code: number;
  readonly body: unknown;
  readonly warnings: readonly string[];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key])]),
  );
}

/** Without ids, times, addresses and numbers that each server picks for itself. */
export function plain(answer: Answer): unknown {
  const text = JSON.stringify(sorted(answer))
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UID")
    .replaceAll(/202\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "TIME")
    .replaceAll(/kube-api-access-[a-z0-9]{5}/g, "kube-api-access-XXXXX")
    .replaceAll(/10\.64\.\d+\.\d+/g, "ADDRESS")
    .replaceAll(/"((?:healthCheckN|n)odePort)":\d+/g, '"$1":"PORT"')
    .replaceAll(/:3[0-2]\d{3}\//g, ":PORT/")
    .replaceAll(/"resourceVersion":"\d+"/g, '"resourceVersion":"VERSION"')
    // Columns are described in words of our own.
    .replaceAll(/"description":"(?:[^"\\]|\\.)*"/g, '"description":""');
  return JSON.parse(text) as unknown;
}

interface Refusal {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] };
}

/** Faults that only one of two refusals tells. What is told twice counts once: kubectl shows it once. */
function faultsDiffer(wanted: Refusal, given: Refusal): string | undefined {
  const faults = ({ details }: Refusal): readonly string[] | undefined =>
    details?.causes === undefined
      ? undefined
      : [...new Set(details.causes.map(({ field, message }) => `${field}: ${message}`))];
  const [theirs, ours] = [faults(wanted), faults(given)];
  if (theirs === undefined || ours === undefined) return undefined;
  const missing = theirs.filter((fault) => !ours.includes(fault));
  const extra = ours.filter((fault) => !theirs.includes(fault));
  if (missing.length + extra.length > 0) return `missing ${JSON.stringify(missing)} extra ${JSON.stringify(extra)}`;
  return wanted.message === given.message ? "" : `order ${JSON.stringify(theirs)} ours ${JSON.stringify(ours)}`;
}

function firstDifference(wanted: unknown, given: unknown, path: string): string {
  if (JSON.stringify(wanted) === JSON.stringify(given)) return "";
  const both = [wanted, given];
  if (both.every(isObject) || both.every(Array.isArray)) {
    const [theirs, ours] = both as [Record<string, unknown>, Record<string, unknown>];
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
      const found = firstDifference(theirs[key], ours[key], `${path}.${key}`);
      if (found !== "") return found;
    }
  }
  return `${path}: ${JSON.stringify(wanted)} ours ${JSON.stringify(given)}`;
}

/** How `given` differs from `wanted`; empty where it does not. */
export function difference(wanted: Answer, given: Answer): string {
  const [theirs, ours] = [plain(wanted), plain(given)] as [Answer, Answer];
  if (theirs.code !== ours.code) {
    const said = ({ body }: Answer): string =>
      isObject(body) && typeof body["message"] === "string" ? body["message"] : "";
    return `code ${theirs.code} ours ${ours.code}; ${said(theirs)} | ${said(ours)}`;
  }
  if (theirs.code < 400) return firstDifference(theirs, ours, "");
  return faultsDiffer(theirs.body as Refusal, ours.body as Refusal) ?? firstDifference(theirs.body, ours.body, "");
}
