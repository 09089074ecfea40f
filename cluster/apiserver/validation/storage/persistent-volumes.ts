/** Persistent volumes, and those that stand inside an attachment. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { formatQuantity, quantityValue, tryParseQuantity } from "@travelops/kube/api/quantity";
import { equalJson, isObject } from "@travelops/kube/schema/json-value";
import { checkText, dnsSubdomain, type Errors, oneOf } from "../checks.ts";
import { forbiddenChange, immutableValue } from "../comparison/forbidden-change.ts";
import { child, entries, type Fields, has, text } from "../fields.ts";
import { checkNodeSelector } from "../pods/scheduling.ts";
import { accessModes, positiveQuantity, storageClassName, volumeMode } from "./storage-fields.ts";
import { checkVolumeSource, sourcesOf } from "./volume-plugins.ts";

const INLINE = "in the context of inline volumes";
const RECLAIM_POLICIES = ["Delete", "Recycle", "Retain"];

function capacity(spec: Fields, path: string, errors: Errors): void {
  const given = entries(spec, "capacity");
  const shown = Object.fromEntries(
    given
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => {
        const quantity = tryParseQuantity(value);
        return [name, quantity === undefined ? value : formatQuantity(quantity)];
      }),
  );
  if (given.length === 0) errors.push(fieldRequired(path));
  if (!("storage" in shown) || given.length > 1)
    errors.push(fieldNotSupported(path, child(spec, "capacity") === undefined ? null : shown, ["storage"]));
  for (const [name, value] of given) {
    const at = `${path}[${name}]`;
    const quantity = tryParseQuantity(value);
    if (quantity !== undefined && quantityValue(quantity) < 0n)
      errors.push(fieldInvalid(at, Number(quantityValue(quantity)), "must be a valid resource quantity"));
    positiveQuantity(value, at, errors);
  }
}

function attributesClass(spec: Fields, path: string, errors: Errors): void {
  if (!has(spec, "volumeAttributesClassName")) return;
  const name = text(spec, "volumeAttributesClassName");
  const at = `${path}.volumeAttributesClassName`;
  if (name === "") errors.push(fieldRequired(at, "an empty string is disallowed"));
  else checkText(name, at, dnsSubdomain, errors);
  if (!has(spec, "csi"))
    errors.push(fieldRequired(`${path}.csi`, "has to be specified when using volumeAttributesClassName"));
}

function nodeAffinity(spec: Fields, path: string, errors: Errors): void {
  const affinity = child(spec, "nodeAffinity");
  if (affinity === undefined) return;
  const required = child(affinity, "required");
  if (required === undefined) errors.push(fieldRequired(`${path}.required`, "must specify required node constraints"));
  else checkNodeSelector(required, `${path}.required`, errors);
}

/** Recycling the whole of a machine's disk would be its end. */
function recyclesRoot(spec: Fields, path: string, errors: Errors): void {
  const mounted = text(child(spec, "hostPath"), "path");
  const isRoot = mounted.startsWith("/") && mounted.split("/").every((part) => part === "" || part === ".");
  if (isRoot && spec["persistentVolumeReclaimPolicy"] === "Recycle")
    errors.push(
      fieldForbidden(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'"),
    );
}

function checkVolumeSpec(spec: Fields, name: string, errors: Errors): void {
  accessModes(spec, "spec", errors);
  capacity(spec, "spec.capacity", errors);
  const policy = text(spec, "persistentVolumeReclaimPolicy");
  if (policy !== "") oneOf(policy, "spec.persistentVolumeReclaimPolicy", RECLAIM_POLICIES, errors);
  nodeAffinity(spec, "spec.nodeAffinity", errors);
  checkVolumeSource(spec, "spec", name, errors);
  recyclesRoot(spec, "spec", errors);
  storageClassName(spec, "spec", errors);
  volumeMode(spec, "spec", errors);
  attributesClass(spec, "spec", errors);
}

/** A volume without an object of its own: CSI's alone, and bound to nobody. */
export function checkInlineVolume(spec: Fields, path: string, errors: Errors): void {
  const never = (key: string): void => {
    errors.push(fieldForbidden(`${path}.${key}`, `may not be specified ${INLINE}`));
  };
  if (has(spec, "claimRef")) never("claimRef");
  if (entries(spec, "capacity").length > 0) never("capacity");
  if (!has(spec, "csi")) errors.push(fieldRequired(`${path}.csi`, `has to be specified ${INLINE}`));
  accessModes(spec, path, errors);
  const policy = text(spec, "persistentVolumeReclaimPolicy");
  if (policy !== "" && policy !== "Retain")
    errors.push(fieldForbidden(`${path}.persistentVolumeReclaimPolicy`, `may only be Retain ${INLINE}`));
  if (has(spec, "nodeAffinity")) never("nodeAffinity");
  checkVolumeSource(spec, path, "", errors);
  recyclesRoot(spec, path, errors);
  if (text(spec, "storageClassName") !== "") never("storageClassName");
  if (has(spec, "volumeMode") && spec["volumeMode"] !== "Filesystem")
    errors.push(fieldForbidden(`${path}.volumeMode`, `may not specify volumeMode other than Filesystem ${INLINE}`));
}

/** The source of a volume; a secret for expansion may come later. */
function frozenSource(spec: Fields, other: Fields): Fields {
  const source = Object.fromEntries(sourcesOf(spec).map((kind) => [kind, spec[kind]]));
  const csi = child(spec, "csi");
  const before = child(other, "csi");
  if (csi === undefined || before === undefined || has(before, "controllerExpandSecretRef")) return source;
  const { controllerExpandSecretRef: _added, ...rest } = csi;
  return { ...source, csi: rest };
}

const RENAMED: ReadonlyMap<string, string> = new Map([
  ["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"],
  ["beta.kubernetes.io/os", "kubernetes.io/os"],
  ["beta.kubernetes.io/arch", "kubernetes.io/arch"],
  ["beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"],
]);

/** A volume stays where it is; labels may get their newer names (as upstream has it, or none at all). */
function sameAffinity(now: unknown, before: unknown): boolean {
  if (Array.isArray(now) && Array.isArray(before))
    return now.length === before.length && now.every((one, i) => sameAffinity(one, before[i]));
  if (!isObject(now) || !isObject(before)) return equalJson(now ?? null, before ?? null);
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].every((key) => {
    const [next, was] = [now[key] ?? "", before[key] ?? ""];
    const renamed = key === "key" && typeof was === "string" && next === (RENAMED.get(was) ?? "");
    return renamed || sameAffinity(next, was);
  });
}

export function checkVolume(volume: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(volume, "spec") ?? {};
  checkVolumeSpec(spec, volume.metadata.name ?? "", errors);
  const before = child(old, "spec");
  if (before === undefined) return;
  const [next, frozen] = [frozenSource(spec, before), frozenSource(before, before)];
  if (!equalJson(next, frozen)) {
    const field = "spec.persistentvolumesource";
    errors.push(forbiddenChange(field, `${field} is immutable after creation`, "PersistentVolumeSource", frozen, next));
  }
  if (!equalJson(spec["volumeMode"] ?? null, before["volumeMode"] ?? null))
    errors.push(fieldInvalid("volumeMode", spec["volumeMode"] ?? null, "field is immutable"));
  if (has(before, "nodeAffinity") && !sameAffinity(spec["nodeAffinity"] ?? null, before["nodeAffinity"])) {
    const fault = immutableValue("nodeAffinity", "*VolumeNodeAffinity", spec["nodeAffinity"]);
    errors.push({ ...fault, message: `${fault.message}, except for updating from beta label to GA` });
  }
  if (has(before, "volumeAttributesClassName") && !has(spec, "volumeAttributesClassName"))
    errors.push(fieldForbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
}
