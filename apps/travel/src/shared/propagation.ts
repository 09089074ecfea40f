import type { IncomingHttpHeaders } from "node:http";

/** Who asks: set by the portals, read by the mesh's tags and by chaos settings. */
const TRAVEL_HEADERS = ["portal", "device", "user", "travel"] as const;

/**
 * Every known form of a trace context. Each form is carried on as it came: a proxy renews only the form it
 * speaks, so making one form out of another would leave a stale copy that a later proxy might prefer.
 */
const TRACE_HEADERS = [
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "traceparent",
  "tracestate",
  "baggage",
  "x-request-id",
  "x-ot-span-context",
  "x-cloud-trace-context",
] as const;

/** One header's value, "" when it is missing. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name.toLowerCase()];
  if (value === undefined) return "";
  return typeof value === "string" ? value : value.join(", ");
}

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const carried: Record<string, string> = {};
  for (const name of names) {
    const value = headerOf(headers, name);
    if (value !== "") carried[name] = value;
  }
  return carried;
}

/** The headers of a request that belong on every request made because of it. */
export function carriedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return { ...pick(headers, TRACE_HEADERS), ...pick(headers, TRAVEL_HEADERS) };
}

/** Only the trace's headers: for requests that are not made in the name of a portal's user. */
export function traceHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return pick(headers, TRACE_HEADERS);
}
