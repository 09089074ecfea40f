/** An audit.k8s.io/v1 Policy: how much of which request is written down. */
import { parse } from "yaml";
import type { UserInfo } from "../api-server.ts";
import type { RequestInfo } from "../request/request-info.ts";

const LEVELS = ["None", "Metadata", "Request", "RequestResponse"] as const;
const STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"] as const;

export type Level = (typeof LEVELS)[number];
export type Stage = (typeof STAGES)[number];

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Rule {
  readonly level: Level;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly Stage[];
  readonly omitManagedFields?: boolean;
}

export interface Policy {
  readonly rules: readonly Rule[];
  readonly omitStages?: readonly Stage[];
  readonly omitManagedFields?: boolean;
}

/** What a policy says of one request. */
export interface Scope {
  readonly level: Level;
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields: boolean;
}

const FIELDS: ReadonlySet<string> = new Set([
  "level",
  "users",
  "userGroups",
  "verbs",
  "resources",
  "namespaces",
  "nonResourceURLs",
  "omitStages",
  "omitManagedFields",
]);

const RESOURCE_FIELDS: ReadonlySet<string> = new Set(["group", "resources", "resourceNames"]);

/** Throws an `Error` that says what is wrong with it. */
export function parsePolicy(text: string): Policy {
  const policy = parse(text) as (Partial<Policy> & { apiVersion?: unknown; kind?: unknown }) | null;
  if (typeof policy !== "object" || policy === null) throw new Error("it holds no object");
  if (policy.apiVersion !== "audit.k8s.io/v1" || policy.kind !== "Policy")
    throw new Error("it must be of apiVersion audit.k8s.io/v1 and kind Policy");
  const { rules } = policy;
  if (!Array.isArray(rules) || rules.length === 0) throw new Error("a policy needs at least one rule");
  checkStages(policy.omitStages, "omitStages");
  rules.forEach((rule: Rule, n: number) => checkRule(rule, `rules[${n}]`));
  return policy as Policy;
}

const LISTS = ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "resources", "resourceNames"];

/** An object with known fields, of which those that are lists are lists. */
function checkFields(value: unknown, known: ReadonlySet<string>, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${path} must be an object`);
  for (const [name, field] of Object.entries(value)) {
    if (!known.has(name)) throw new Error(`${path}: there is no field ${JSON.stringify(name)}`);
    if (!LISTS.includes(name)) continue;
    if (!Array.isArray(field)) throw new Error(`${path}.${name} must be a list`);
    const whole = name === "resources" && known === FIELDS;
    field.forEach((each: unknown, n: number) => {
      if (whole) checkFields(each, RESOURCE_FIELDS, `${path}.resources[${n}]`);
      else if (typeof each !== "string") throw new Error(`${path}.${name}[${n}] must be a string`);
    });
  }
}

function checkStages(stages: readonly Stage[] | undefined, path: string): void {
  if (stages !== undefined && !Array.isArray(stages)) throw new Error(`${path} must be a list`);
  const unknown = (stages ?? []).find((stage) => !STAGES.includes(stage));
  if (unknown !== undefined) throw new Error(`${path}: ${JSON.stringify(unknown)} is no stage (${STAGES.join(", ")})`);
}

function checkRule(rule: Rule, path: string): void {
  checkFields(rule, FIELDS, path);
  if (!LEVELS.includes(rule.level)) throw new Error(`${path}.level must be one of ${LEVELS.join(", ")}`);
  checkStages(rule.omitStages, `${path}.omitStages`);
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length > 0 && ((rule.resources ?? []).length > 0 || (rule.namespaces ?? []).length > 0))
    throw new Error(`${path}: rules cannot apply to both regular resources and non-resource URLs`);
  const wrong = urls.find((url) => url !== "*" && (!url.startsWith("/") || url.slice(0, -1).includes("*")));
  if (wrong !== undefined)
    throw new Error(`${path}.nonResourceURLs: ${JSON.stringify(wrong)} must begin with a slash, and * may only end it`);
  for (const { resources = [], resourceNames = [] } of rule.resources ?? []) {
    if (resourceNames.length > 0 && resources.length === 0)
      throw new Error(`${path}.resources: resourceNames need at least one resource`);
  }
}

const NOTHING: Scope = { level: "None", omitStages: [], omitManagedFields: false };

/** The first rule that fits decides; without one nothing is written. */
export function scopeOf(policy: Policy, user: UserInfo, info: RequestInfo): Scope {
  const rule = policy.rules.find((each) => fits(each, user, info));
  if (rule === undefined) return NOTHING;
  return {
    level: hidesBody(rule, info) ? lowest(rule.level, "Metadata") : rule.level,
    omitStages: [...(policy.omitStages ?? []), ...(rule.omitStages ?? [])],
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const lowest = (a: Level, b: Level): Level => (LEVELS.indexOf(a) < LEVELS.indexOf(b) ? a : b);

const has = (list: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
  list === undefined || list.length === 0 || list.some(test);

function fits(rule: Rule, user: UserInfo, info: RequestInfo): boolean {
  if (!has(rule.users, (name) => name === user.name)) return false;
  if (!has(rule.userGroups, (name) => user.groups.includes(name))) return false;
  if (!has(rule.verbs, (verb) => verb === info.verb)) return false;
  const ofResources = (rule.resources ?? []).length > 0 || (rule.namespaces ?? []).length > 0;
  const ofPaths = (rule.nonResourceURLs ?? []).length > 0;
  if (!ofResources && !ofPaths) return true;
  if (info.kind === "path") return ofPaths && has(rule.nonResourceURLs, (url) => fitsPath(url, info.path));
  if (!ofResources || !has(rule.namespaces, (namespace) => namespace === info.namespace)) return false;
  return (rule.resources ?? []).length === 0 || (rule.resources ?? []).some((each) => fitsResource(each, info));
}

const fitsPath = (url: string, path: string): boolean =>
  url === "*" || url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1).replace(/\/$/, "")));

function fitsResource(
  { group = "", resources = [], resourceNames = [] }: GroupResources,
  info: Extract<RequestInfo, { kind: "resource" }>,
): boolean {
  if (group !== info.group) return false;
  if (resources.length === 0) return true;
  if (resourceNames.length > 0 && !resourceNames.includes(info.name)) return false;
  const whole = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
  return resources.some(
    (name) =>
      name === "*" ||
      name === whole ||
      (info.subresource !== "" && (name === `${info.resource}/*` || name === `*/${info.subresource}`)),
  );
}

/** Bodies that are secrets themselves. */
const SECRET_BODIES: ReadonlySet<string> = new Set([
  "/secrets",
  "authentication.k8s.io/tokenreviews",
  "/serviceaccounts/token",
]);

/** A rule that does not name such a resource does not mean its values. */
function hidesBody(rule: Rule, info: RequestInfo): boolean {
  if (info.kind === "path") return false;
  const whole = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
  if (!SECRET_BODIES.has(`${info.group}/${whole}`)) return false;
  return !(rule.resources ?? []).some(
    ({ group = "", resources = [] }) => group === info.group && resources.includes(whole),
  );
}
