import { forbidden } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  subQuantity,
  ZERO,
} from "@travelops/kube/api/quantity";
import type { Quantity } from "@travelops/kube/api/quantity";
import type { AdmissionAttributes } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { objectsOf, shownName } from "./plugin.ts";
import { podSpec } from "./pod-shape.ts";
import { inScope, usageOf } from "./quota-usage.ts";
import type { QuotaSpec, Usage } from "./quota-usage.ts";

/**
 * Refuses what a namespace's quotas no longer hold. Use is counted from the objects themselves, staged ones
 * included, so no burst slips past; the quotas' status is written by their controller.
 */
export const resourceQuota: AdmissionPlugin = {
  name: "ResourceQuota",
  charge(attributes, view) {
    const { operation, namespace, object, subresource } = attributes;
    if (
      namespace === "" ||
      object === undefined ||
      subresource !== "" ||
      (operation !== "CREATE" && operation !== "UPDATE")
    )
      return;
    for (const quota of objectsOf(view, "resourcequotas.", namespace)) check(attributes, object, quota, view);
  },
};

const specOf = (quota: KubeObject): QuotaSpec => (quota["spec"] as QuotaSpec | undefined) ?? {};

function check(attributes: AdmissionAttributes, object: KubeObject, quota: KubeObject, view: ClusterView): void {
  const { group, resource, oldObject } = attributes;
  const spec = specOf(quota);
  const counted = (one: KubeObject): Usage =>
    inScope(spec, group, resource, one) ? usageOf(group, resource, one) : new Map();
  const after = counted(object);
  if (after.size === 0) return;
  const name = quota.metadata.name ?? "";
  if (attributes.operation === "CREATE" && group === "" && resource === "pods")
    requireNamed(attributes, object, name, spec);
  const before = oldObject === undefined ? new Map<string, Quantity>() : counted(oldObject);
  const requested = new Map<string, Quantity>();
  for (const item of Object.keys(spec.hard ?? {})) {
    const more = subQuantity(after.get(item) ?? ZERO, before.get(item) ?? ZERO);
    if (more.nano > 0n) requested.set(item, more);
  }
  if (requested.size > 0)
    refuseExceeded(attributes, name, spec, requested, usedIn(view, attributes, spec, [...requested.keys()]));
}

/** What the namespace uses of `items` now. */
function usedIn(
  view: ClusterView,
  { group, resource, namespace }: AdmissionAttributes,
  spec: QuotaSpec,
  items: readonly string[],
): Usage {
  const used: Usage = new Map(items.map((item) => [item, ZERO]));
  for (const { object } of view.listStaged(`${resource}.${group}`, namespace)) {
    if (!inScope(spec, group, resource, object)) continue;
    const usage = usageOf(group, resource, object);
    for (const item of items) {
      const amount = usage.get(item);
      if (amount !== undefined) used.set(item, addQuantity(used.get(item) ?? ZERO, amount));
    }
  }
  return used;
}

function refuseExceeded(
  attributes: AdmissionAttributes,
  name: string,
  spec: QuotaSpec,
  requested: Usage,
  used: Usage,
): void {
  const hard = (item: string): Quantity => parseQuantity(spec.hard?.[item] ?? 0);
  const over = [...requested]
    .filter(([item, more]) => compareQuantity(addQuantity(used.get(item) ?? ZERO, more), hard(item)) > 0)
    .map(([item]) => item);
  if (over.length === 0) return;
  const show = (amount: (item: string) => Quantity): string =>
    over
      .toSorted()
      .map((item) => `${item}=${formatQuantity(amount(item))}`)
      .join(",");
  const parts = [show((item) => requested.get(item) ?? ZERO), show((item) => used.get(item) ?? ZERO), show(hard)];
  const why = `exceeded quota: ${name}, requested: ${parts[0] ?? ""}, used: ${parts[1] ?? ""}, limited: ${parts[2] ?? ""}`;
  throw forbidden(attributes, shownName(attributes), why);
}

/** Where cpu or memory is limited, every container must say what it wants. */
function requireNamed(attributes: AdmissionAttributes, pod: KubeObject, quota: string, { hard = {} }: QuotaSpec): void {
  const containers = [...(podSpec(pod).initContainers ?? []), ...(podSpec(pod).containers ?? [])];
  const missing: string[] = [];
  for (const item of Object.keys(hard).toSorted()) {
    const [, kind = "requests", name = ""] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(item) ?? [];
    if (name === "") continue;
    const list = kind === "limits" ? "limits" : "requests";
    const lacking = containers
      .filter(({ resources }) => resources?.[list]?.[name] === undefined)
      .map((container) => container.name);
    if (lacking.length > 0) missing.push(`${item} for: ${lacking.toSorted().join(",")}`);
  }
  if (missing.length === 0) return;
  throw forbidden(attributes, shownName(attributes), `failed quota: ${quota}: must specify ${missing.join("; ")}`);
}
