/** Nodes, and classes of how their pods run. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, type KubeObject } from "@travelops/kube";
import { isIP } from "node:net";
import { checkLabels, checkText, cidr, dnsLabel, type Errors } from "../checks.ts";
import { child, entries, type Fields, items, strings, text } from "../fields.ts";
import { containerResourceName, resourceQuantity } from "./resource-names.ts";
import { checkTaints, checkTolerations } from "../pods/scheduling.ts";

function nodeResources(node: KubeObject, errors: Errors): void {
  const status = child(node, "status");
  for (const kind of ["capacity", "allocatable"])
    for (const [name, value] of entries(status, kind)) resourceQuantity(name, value, `status.${kind}.${name}`, errors);
}

const familyOf = (range: string): number => isIP(range.split("/")[0] ?? "");

/** The ranges of a node's pods: one of each family. */
function podRanges(spec: Fields | undefined, errors: Errors): void {
  const ranges = strings(spec, "podCIDRs");
  ranges.forEach((range, i) => checkText(range, `spec.podCIDRs[${i}]`, cidr, errors));
  if (ranges.length < 2) return;
  const bad = ranges.findIndex((range) => cidr(range).length > 0);
  if (bad >= 0)
    errors.push({
      reason: "InternalError",
      field: "spec.podCIDRs",
      message: `Internal error: invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[${bad}]: <nil> (invalid CIDR address: ${ranges[bad] ?? ""})`,
    });
  const dual = bad < 0 && new Set(ranges.map(familyOf)).size === 2;
  if (!dual || ranges.length > 2)
    errors.push(fieldInvalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"));
}

const ONCE = (field: string): string => `node updates may not change ${field} except from "" to valid`;

function nodeUpdate(node: KubeObject, old: KubeObject, errors: Errors): void {
  const [spec, before] = [child(node, "spec"), child(old, "spec")];
  const addresses = new Set<string>();
  items(child(node, "status"), "addresses").forEach((address, i) => {
    const shown = { Type: text(address, "type"), Address: text(address, "address") };
    const key = JSON.stringify(shown);
    if (addresses.has(key)) errors.push(fieldDuplicate(`status.addresses[${i}]`, shown));
    addresses.add(key);
  });
  const [ranges, held] = [strings(spec, "podCIDRs"), strings(before, "podCIDRs")];
  const changed = ranges.length === held.length ? held.filter((range, i) => range !== ranges[i]).length : 1;
  if (held.length > 0) for (let i = 0; i < changed; i++) errors.push(fieldForbidden("spec.podCIDRs", ONCE("podCIDR")));
  if (text(before, "providerID") !== "" && text(before, "providerID") !== text(spec, "providerID"))
    errors.push(fieldForbidden("spec.providerID", ONCE("providerID")));
  checkTaints(spec, "metadata.taints", errors);
  if (text(before, "externalID") !== text(spec, "externalID"))
    errors.push(fieldForbidden("spec.externalID", "may not be updated"));
}

/** Upstream looks at a changed node as at a new one, too. */
export function checkNode(node: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(node, "spec");
  checkTaints(spec, "metadata.taints", errors);
  nodeResources(node, errors);
  podRanges(spec, errors);
  if (old === undefined) return;
  nodeResources(node, errors);
  nodeUpdate(node, old, errors);
}

function tolerations(scheduling: Fields, errors: Errors): void {
  checkTolerations(scheduling, "scheduling", errors);
  const seen = new Set<string>();
  items(scheduling, "tolerations").forEach((toleration, i) => {
    const [Key, Operator, Value, Effect] = ["key", "operator", "value", "effect"].map((key) => text(toleration, key));
    const shown = { Key, Operator, Value, Effect };
    const key = JSON.stringify(shown);
    if (seen.has(key))
      errors.push(
        fieldDuplicate(`scheduling.tolerations[${i}]`, {
          ...shown,
          TolerationSeconds: toleration["tolerationSeconds"] ?? null,
        }),
      );
    seen.add(key);
  });
}

export function checkRuntimeClass(runtime: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const handler = text(runtime, "handler");
  if (old !== undefined) {
    if (handler !== text(old, "handler")) errors.push(fieldInvalid("handler", handler, "field is immutable"));
    return;
  }
  checkText(handler, "handler", dnsLabel, errors);
  for (const [name, value] of entries(child(runtime, "overhead"), "podFixed")) {
    containerResourceName(name, `overhead.limits[${name}]`, errors);
    resourceQuantity(name, value, `overhead.limits[${name}]`, errors);
  }
  const scheduling = child(runtime, "scheduling");
  if (scheduling === undefined) return;
  checkLabels(scheduling, "nodeSelector", "scheduling.nodeSelector", errors);
  tolerations(scheduling, errors);
}
