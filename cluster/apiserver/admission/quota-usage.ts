/** What one object uses of the things a ResourceQuota counts. Shared by admission and whoever writes the quota's status. */
import type { KubeObject } from "@travelops/kube";
import { parseQuantity } from "@travelops/kube/api/quantity";
import type { Quantity } from "@travelops/kube/api/quantity";
import { podCharge } from "./pod-resources.ts";
import { podSpec } from "./pod-shape.ts";

export type Usage = Map<string, Quantity>;

const ONE = parseQuantity(1);

/** Counted under their bare name, too. */
const BARE_NAMES: ReadonlySet<string> = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);

/** Resources that a quota may name without `requests.`. */
const COMPUTE: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

const countName = (group: string, resource: string): string =>
  group === "" ? `count/${resource}` : `count/${resource}.${group}`;

/** Usage of an object of `resource`, by the names that quotas use. */
export function usageOf(group: string, resource: string, object: KubeObject): Usage {
  const usage: Usage = new Map([[countName(group, resource), ONE]]);
  if (group !== "") return usage;
  if (resource === "pods") return podUsage(object, usage);
  if (BARE_NAMES.has(resource)) usage.set(resource, ONE);
  if (resource === "services") serviceUsage(object, usage);
  if (resource === "persistentvolumeclaims") claimUsage(object, usage);
  return usage;
}

function podUsage(pod: KubeObject, usage: Usage): Usage {
  // A pod that has ended is an object still, and nothing more.
  if (hasEnded(pod)) return usage;
  usage.set("pods", ONE);
  for (const [name, amount] of podCharge(pod, "requests")) {
    usage.set(`requests.${name}`, amount);
    if (COMPUTE.has(name) || name.startsWith("hugepages-")) usage.set(name, amount);
  }
  for (const [name, amount] of podCharge(pod, "limits")) usage.set(`limits.${name}`, amount);
  return usage;
}

function hasEnded(pod: KubeObject): boolean {
  const phase = (pod["status"] as { phase?: string } | undefined)?.phase;
  return phase === "Succeeded" || phase === "Failed";
}

interface ServiceShape {
  readonly type?: string;
  readonly ports?: readonly unknown[];
  readonly allocateLoadBalancerNodePorts?: boolean;
}

function serviceUsage(service: KubeObject, usage: Usage): void {
  const { type, ports = [], allocateLoadBalancerNodePorts } = (service["spec"] ?? {}) as ServiceShape;
  if (type === "LoadBalancer") usage.set("services.loadbalancers", ONE);
  if (type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false)) {
    usage.set("services.nodeports", parseQuantity(ports.length));
  }
}

function claimUsage(claim: KubeObject, usage: Usage): void {
  const spec = (claim["spec"] ?? {}) as {
    storageClassName?: string;
    resources?: { requests?: { storage?: string } };
  };
  const storage = spec.resources?.requests?.storage;
  if (storage !== undefined) usage.set("requests.storage", parseQuantity(storage));
  if (spec.storageClassName === undefined || spec.storageClassName === "") return;
  const prefix = `${spec.storageClassName}.storageclass.storage.k8s.io`;
  usage.set(`${prefix}/persistentvolumeclaims`, ONE);
  if (storage !== undefined) usage.set(`${prefix}/requests.storage`, parseQuantity(storage));
}

export interface QuotaSpec {
  readonly hard?: Readonly<Record<string, string | number>>;
  readonly scopes?: readonly string[];
  readonly scopeSelector?: {
    readonly matchExpressions?: readonly {
      readonly scopeName: string;
      readonly operator: string;
      readonly values?: readonly string[];
    }[];
  };
}

/** Whether a quota's scopes take an object in. Only pods have any. */
export function inScope(spec: QuotaSpec, group: string, resource: string, object: KubeObject): boolean {
  const expressions = [
    ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists", values: [] })),
    ...(spec.scopeSelector?.matchExpressions ?? []),
  ];
  if (expressions.length === 0) return true;
  if (group !== "" || resource !== "pods") return false;
  return expressions.every(({ scopeName, operator, values = [] }) => matchesScope(object, scopeName, operator, values));
}

function matchesScope(pod: KubeObject, scope: string, operator: string, values: readonly string[]): boolean {
  const deadline = (pod["spec"] as { activeDeadlineSeconds?: number } | undefined)?.activeDeadlineSeconds;
  switch (scope) {
    case "Terminating":
      return deadline !== undefined;
    case "NotTerminating":
      return deadline === undefined;
    case "BestEffort":
      return isBestEffort(pod);
    case "NotBestEffort":
      return !isBestEffort(pod);
    case "PriorityClass":
      return matchesValue(podSpec(pod).priorityClassName ?? "", operator, values);
    case "CrossNamespacePodAffinity":
      return usesOtherNamespaces(pod);
    default:
      return false;
  }
}

function matchesValue(value: string, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case "In":
      return values.includes(value);
    case "NotIn":
      return !values.includes(value);
    case "DoesNotExist":
      return value === "";
    default:
      return value !== "";
  }
}

/** No container of it asks for cpu or memory. */
function isBestEffort(pod: KubeObject): boolean {
  const names = [...podCharge(pod, "requests"), ...podCharge(pod, "limits")]
    .filter(([, amount]) => amount.nano > 0n)
    .map(([name]) => name);
  return !names.some((name) => name === "cpu" || name === "memory");
}

function usesOtherNamespaces(pod: KubeObject): boolean {
  const affinity = JSON.stringify((pod["spec"] as { affinity?: unknown } | undefined)?.affinity ?? {});
  return affinity.includes('"namespaces":["') || affinity.includes('"namespaceSelector":');
}
