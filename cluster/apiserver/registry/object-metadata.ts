/** The metadata that the server itself keeps, whatever the resource. */
import {
  badRequest,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  type FieldError,
  type KubeObject,
  type ObjectMeta,
} from "@travelops/kube";
import { generateName } from "@travelops/kube/api/names";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, dnsSubdomain, labelValue, pathSegment, qualifiedName } from "../validation/checks.ts";
import type { ServedResource } from "./registry.ts";

export interface NewObjectFacts {
  readonly namespace: string;
  readonly now: string;
  readonly uid: string;
  readonly random: () => number;
  readonly generation: number | undefined;
}

/** A new object's metadata: what a client may not set is gone, what the server sets is there. */
export function newMetadata(meta: ObjectMeta, facts: NewObjectFacts): ObjectMeta {
  const {
    deletionTimestamp: _deletion,
    deletionGracePeriodSeconds: _grace,
    resourceVersion: _version,
    selfLink: _link,
    ...kept
  } = meta as ObjectMeta & { selfLink?: unknown };
  const fresh: ObjectMeta = { ...kept, uid: facts.uid, creationTimestamp: facts.now };
  if ((fresh.name ?? "") === "" && (fresh.generateName ?? "") !== "") {
    fresh.name = generateName(fresh.generateName ?? "", facts.random);
  }
  if (facts.namespace === "") delete fresh.namespace;
  else fresh.namespace = facts.namespace;
  if (facts.generation !== undefined) fresh.generation = facts.generation;
  return fresh;
}

/**
 * Metadata after an update: what only the server sets stays as it was. A deletion cannot be taken back, and one that
 * did not happen is a fault (`metadataErrors`).
 */
export function updatedMetadata(meta: ObjectMeta, old: ObjectMeta): ObjectMeta {
  const next: ObjectMeta = { ...meta };
  const kept = next as Record<string, unknown>;
  const before = old as Record<string, unknown>;
  for (const field of SERVER_FIELDS) {
    if (before[field] === undefined) delete kept[field];
    else kept[field] = before[field];
  }
  for (const field of IMMUTABLE) {
    if (before[field] !== undefined) kept[field] = before[field];
  }
  return next;
}

const SERVER_FIELDS = ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];
const IMMUTABLE = ["deletionTimestamp", "deletionGracePeriodSeconds"] as const;

function immutableErrors(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  return IMMUTABLE.filter((field) => metadata[field] !== old[field]).map((field) =>
    fieldInvalid(`metadata.${field}`, metadata[field], "field is immutable"),
  );
}

/** The namespace of the path wins; one in the object has to agree. Throws `StatusError` 400. */
export function checkNamespace(resource: ServedResource, object: KubeObject, namespace: string): void {
  const given = object.metadata.namespace ?? "";
  if (given === "" || given === namespace) return;
  if (!resource.row.namespaced) return;
  throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

/** Faults in the order in which upstream looks for them. */
export function metadataErrors(
  resource: ServedResource,
  object: KubeObject,
  old: KubeObject | undefined,
): FieldError[] {
  const { metadata } = object;
  const errors: FieldError[] = [];
  errors.push(...nameErrors(resource, metadata, old));
  if ((metadata.generation ?? 0) < 0)
    errors.push(fieldInvalid("metadata.generation", metadata.generation, "must be greater than or equal to 0"));
  errors.push(...labelErrors(metadata));
  errors.push(...ownerErrors(metadata));
  errors.push(...finalizerErrors(metadata, old?.metadata, resource.origin === "custom"));
  if (old !== undefined) errors.push(...immutableErrors(metadata, old.metadata));
  return errors;
}

/** A base of generated names may end where a name may not. */
const base = (generateName: string): string =>
  generateName.endsWith("-") ? `${generateName.slice(0, -1)}a` : generateName;

function nameErrors(
  resource: ServedResource,
  { name = "", generateName: prefix = "" }: ObjectMeta,
  old: KubeObject | undefined,
): FieldError[] {
  // What an update sends is looked at only as far as every kind does.
  const faults = old === undefined ? (resource.strategy.nameFaults ?? dnsSubdomain) : pathSegment;
  const errors =
    prefix === "" ? [] : faults(base(prefix)).map((fault) => fieldInvalid("metadata.generateName", prefix, fault));
  if (old !== undefined) return errors;
  if (name === "") return [...errors, fieldRequired("metadata.name", "name or generateName is required")];
  return [...errors, ...faults(name).map((fault) => fieldInvalid("metadata.name", name, fault))];
}

const MAX_ANNOTATION_BYTES = 256 * 1024;

export function labelErrors({ labels, annotations }: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    checkText(key, "metadata.labels", qualifiedName, errors);
    checkText(value, "metadata.labels", labelValue, errors);
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const fault of qualifiedName(key.toLowerCase())) errors.push(fieldInvalid("metadata.annotations", key, fault));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > MAX_ANNOTATION_BYTES) {
    errors.push({
      reason: "FieldValueTooLong",
      field: "metadata.annotations",
      message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
    });
  }
  return errors;
}

const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

const NOT_QUALIFIED = "name is neither a standard finalizer name nor is it fully qualified";

/** Custom resources may have finalizers without a domain (Argo CD's has none); built-in kinds only the standard ones. */
function finalizerErrors({ finalizers = [] }: ObjectMeta, old: ObjectMeta | undefined, custom: boolean): FieldError[] {
  const errors: FieldError[] = [];
  for (const finalizer of finalizers) checkText(finalizer, "metadata.finalizers", qualifiedName, errors);
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(
      fieldInvalid("metadata.finalizers", finalizers, "finalizer orphan and foregroundDeletion cannot be both set"),
    );
  }
  errors.push(...lateFinalizers(finalizers, old));
  if (custom) return errors;
  for (const [i, finalizer] of finalizers.entries()) {
    if (!finalizer.includes("/") && !STANDARD_FINALIZERS.has(finalizer))
      errors.push(fieldInvalid(`metadata.finalizers[${i}]`, finalizer, NOT_QUALIFIED));
  }
  return errors;
}

/** Nothing new may hold an object that is on its way out. */
function lateFinalizers(finalizers: readonly string[], old: ObjectMeta | undefined): FieldError[] {
  if (old?.deletionTimestamp === undefined) return [];
  const added = finalizers.filter((finalizer) => !(old.finalizers ?? []).includes(finalizer));
  if (added.length === 0) return [];
  const names = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
  return [
    fieldForbidden(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names}}`,
    ),
  ];
}

function ownerErrors({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  // Upstream says which field of an owner is wrong, not which owner.
  const path = "metadata.ownerReferences";
  for (const owner of ownerReferences) {
    if ((owner.apiVersion ?? "") === "")
      errors.push(fieldInvalid(`${path}.apiVersion`, "", "version must not be empty"));
    for (const key of ["kind", "name", "uid"] as const) {
      if ((owner[key] ?? "") === "") errors.push(fieldInvalid(`${path}.${key}`, "", "must not be empty"));
    }
  }
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  if (controllers.length < 2) return errors;
  const [first, second] = controllers.map(({ kind, name }) => `${kind ?? ""}/${name ?? ""}`);
  const fault = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`;
  return [...errors, fieldInvalid(path, ownerReferences, fault)];
}

/** Whether what generation counts has changed: all but metadata and, where it is a subresource, status. */
export function specChanged(object: KubeObject, old: KubeObject, hasStatus: boolean): boolean {
  const keys = new Set([...Object.keys(object), ...Object.keys(old)]);
  for (const key of keys) {
    if (key === "metadata" || key === "apiVersion" || key === "kind" || (hasStatus && key === "status")) continue;
    if (!equalJson(object[key], old[key])) return true;
  }
  return false;
}
