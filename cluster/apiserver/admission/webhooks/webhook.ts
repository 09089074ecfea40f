/** One webhook of a configuration, as the API server works with it. */
import type { KubeObject } from "@travelops/kube";
import type { LabelSelector } from "@travelops/kube/client/selectors";
import { array, number, read, record, text } from "../../registry/printers/printer.ts";
import type { Operation } from "../../access.ts";

export interface WebhookRule {
  readonly operations: readonly string[];
  readonly groups: readonly string[];
  readonly versions: readonly string[];
  /** `pods`, `pods/status`, or a star for either part. */
  readonly resources: readonly string[];
  readonly scope: "*" | "Cluster" | "Namespaced";
}

export interface MatchCondition {
  readonly name: string;
  readonly expression: string;
}

export interface Webhook {
  readonly phase: "mutating" | "validating";
  /** The name of its configuration. */
  readonly configuration: string;
  /** Its place among all webhooks of its phase. */
  readonly index: number;
  /** Tells it from all others, in a set of those called. */
  readonly id: string;
  readonly name: string;
  readonly rules: readonly WebhookRule[];
  readonly failurePolicy: "Fail" | "Ignore";
  readonly matchPolicy: "Equivalent" | "Exact";
  /** Undefined: selects everything. */
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  readonly matchConditions: readonly MatchCondition[];
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly reviewVersions: readonly string[];
  readonly reinvoke: boolean;
  /** Where it is; read when it is called. */
  readonly clientConfig: unknown;
}

const texts = (value: unknown): string[] => array(value).map((one) => text(one));

function ruleOf(rule: unknown): WebhookRule {
  const scope = text(read(rule, "scope"));
  return {
    operations: texts(read(rule, "operations")),
    groups: texts(read(rule, "apiGroups")),
    versions: texts(read(rule, "apiVersions")),
    resources: texts(read(rule, "resources")),
    scope: scope === "Cluster" || scope === "Namespaced" ? scope : "*",
  };
}

function selectorOf(value: unknown): LabelSelector | undefined {
  const selector = record(value) as LabelSelector;
  const empty = Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
  return empty ? undefined : selector;
}

/** The webhooks of a Mutating- or ValidatingWebhookConfiguration, in its order, still without their places. */
export function webhooksOf(configuration: KubeObject, phase: Webhook["phase"]): Omit<Webhook, "index">[] {
  return array(configuration["webhooks"]).map((webhook, i) => ({
    phase,
    configuration: configuration.metadata.name ?? "",
    id: `${configuration.metadata.uid ?? configuration.metadata.name ?? ""}/${i}`,
    name: text(read(webhook, "name")),
    rules: array(read(webhook, "rules")).map(ruleOf),
    failurePolicy: read(webhook, "failurePolicy") === "Ignore" ? "Ignore" : "Fail",
    matchPolicy: read(webhook, "matchPolicy") === "Exact" ? "Exact" : "Equivalent",
    namespaceSelector: selectorOf(read(webhook, "namespaceSelector")),
    objectSelector: selectorOf(read(webhook, "objectSelector")),
    matchConditions: array(read(webhook, "matchConditions")).map((condition) => ({
      name: text(read(condition, "name")),
      expression: text(read(condition, "expression")),
    })),
    sideEffects: text(read(webhook, "sideEffects")),
    timeoutSeconds: number(read(webhook, "timeoutSeconds"), 10),
    reviewVersions: texts(read(webhook, "admissionReviewVersions")),
    reinvoke: read(webhook, "reinvocationPolicy") === "IfNeeded",
    clientConfig: read(webhook, "clientConfig"),
  }));
}

/** What a rule is held against. */
export interface RuleSubject {
  readonly operation: Operation;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Of a Namespace object: its own name. */
  readonly namespace: string;
}

const has = (items: readonly string[], asked: string): boolean => items.includes("*") || items.includes(asked);

function resourceMatches(listed: readonly string[], resource: string, subresource: string): boolean {
  return listed.some((entry) => {
    const slash = entry.indexOf("/");
    const [main, sub] = slash === -1 ? [entry, ""] : [entry.slice(0, slash), entry.slice(slash + 1)];
    return (main === "*" || main === resource) && (sub === "*" || sub === subresource);
  });
}

/** Namespaces count as cluster-scoped, though requests for them carry a namespace. */
function scopeMatches(scope: WebhookRule["scope"], { group, resource, namespace }: RuleSubject): boolean {
  if (scope === "*") return true;
  const cluster = namespace === "" || (group === "" && resource === "namespaces");
  return (scope === "Cluster") === cluster;
}

/** Whether a rule names an operation on a resource, in whatever version and scope. */
export const ruleNames = (
  rule: WebhookRule,
  { operation, group, resource, subresource }: Omit<RuleSubject, "version" | "namespace">,
): boolean =>
  has(rule.operations, operation) && has(rule.groups, group) && resourceMatches(rule.resources, resource, subresource);

export const ruleMatches = (rule: WebhookRule, subject: RuleSubject): boolean =>
  ruleNames(rule, subject) && has(rule.versions, subject.version) && scopeMatches(rule.scope, subject);
