/** The Gateway API's CORS filter: what a preflight is answered, and what an answer is given along. Pure. */
import type { HeaderChange, HttpFilter } from "../../config.ts";
import type { HeaderMap } from "./filters.ts";

type Cors = Extract<HttpFilter, { type: "cors" }>;

const ALLOW = "access-control-allow-";
const OURS = [`${ALLOW}origin`, `${ALLOW}credentials`, "access-control-expose-headers"];

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(", ") : value;

export const isPreflight = (method: string, headers: HeaderMap): boolean =>
  method === "OPTIONS" && headers["origin"] !== undefined && headers["access-control-request-method"] !== undefined;

/** The headers of the 204 that answers a preflight; none where the origin is not among those allowed. */
export function preflightHeaders(cors: Cors, request: HeaderMap): Record<string, string> {
  const shared = sharedHeaders(cors, request);
  if (shared === undefined) return {};
  const methods = listOf(cors, cors.methods, one(request["access-control-request-method"]));
  const headers = listOf(cors, cors.headers, one(request["access-control-request-headers"]));
  return {
    ...shared,
    ...(methods === undefined ? {} : { [`${ALLOW}methods`]: methods }),
    ...(headers === undefined ? {} : { [`${ALLOW}headers`]: headers }),
    "access-control-max-age": String(cors.maxAge),
  };
}

/** What changes on the backend's answer; its own word on the matter does not count. */
export function answerChange(cors: Cors, request: HeaderMap): HeaderChange {
  const shared = sharedHeaders(cors, request) ?? {};
  const exposed =
    cors.expose.length === 0 || shared[`${ALLOW}origin`] === undefined ? undefined : cors.expose.join(", ");
  const set = { ...shared, ...(exposed === undefined ? {} : { "access-control-expose-headers": exposed }) };
  return {
    set: Object.entries(set).map(([name, value]) => ({ name, value })),
    add: [],
    remove: OURS.filter((name) => !(name in set)),
  };
}

function sharedHeaders(cors: Cors, request: HeaderMap): Record<string, string> | undefined {
  const origin = one(request["origin"]);
  if (origin === undefined || !cors.origins.some((allowed) => allowsOrigin(allowed, origin))) return undefined;
  const anyone = cors.origins.includes("*") && !cors.credentials;
  return {
    [`${ALLOW}origin`]: anyone ? "*" : origin,
    ...(cors.credentials ? { [`${ALLOW}credentials`]: "true" } : {}),
    ...(anyone ? {} : { vary: "Origin" }),
  };
}

/** With credentials a browser takes no `*`: what it asked for is said instead. */
function listOf(cors: Cors, allowed: readonly string[], asked: string | undefined): string | undefined {
  if (allowed.length === 0) return undefined;
  if (!allowed.includes("*")) return allowed.join(", ");
  return cors.credentials ? asked : "*";
}

/** `https://*.example.com` covers any number of labels; a port that is not named is the scheme's. */
export function allowsOrigin(allowed: string, origin: string): boolean {
  if (allowed === "*") return true;
  const [want, got] = [partsOf(allowed), partsOf(origin)];
  if (want === undefined || got === undefined || want.scheme !== got.scheme || want.port !== got.port) return false;
  if (!want.host.startsWith("*")) return want.host === got.host;
  const rest = want.host.slice(1);
  return got.host.endsWith(rest) && got.host.length > rest.length;
}

function partsOf(origin: string): { scheme: string; host: string; port: string } | undefined {
  const [, scheme, host, port] = /^(https?):\/\/([^/:]+)(?::(\d+))?$/i.exec(origin) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  return {
    scheme: scheme.toLowerCase(),
    host: host.toLowerCase(),
    port: port ?? (scheme.toLowerCase() === "https" ? "443" : "80"),
  };
}
