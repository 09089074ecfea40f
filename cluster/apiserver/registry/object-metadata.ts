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
import { generateName, isDns1123Subdomain, labelValueFault, qualifiedNameFault } from "@travelops/kube/api/names";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { ServedResource } from "./registry.ts";

const SUBDOMAIN_FAULT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** Names that may stand as one segment of a path (RBAC objects and others). */
export function pathSegmentFault(name: string): string | undefined {
  if (name === "." || name === "..") return `may not be '${name}'`;
  for (const part of ["/", "%"]) if (name.includes(part)) return `may not contain '${part}'`;
  return undefined;
}

function subdomainFault(name: string): string | undefined {
  if (isDns1123Subdomain(name)) return undefined;
  return name.length > 253 ? "must be no more than 253 characters" : SUBDOMAIN_FAULT;
}

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
    generation: _generation,
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

/** Metadata after an update: what only the server sets stays as it was. */
export function updatedMetadata(meta: ObjectMeta, old: ObjectMeta): ObjectMeta {
  const next: ObjectMeta = { ...meta };
  const kept = next as Record<string, unknown>;
  const before = old as Record<string, unknown>;
  for (const field of SERVER_FIELDS) {
    if (before[field] === undefined) delete kept[field];
    else kept[field] = before[field];
  }
  delete kept["selfLink"];
  return next;
}

const SERVER_FIELDS = [
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "generateName",
];

/** The namespace of the path wins; one in the object has to agree. Throws `StatusError` 400. */
export function checkNamespace(resource: ServedResource, object: KubeObject, namespace: string): void {
  const given = object.metadata.namespace ?? "";
  if (given === "" || given === namespace) return;
  if (!resource.row.namespaced) return;
  throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

export function metadataErrors(
  resource: ServedResource,
  object: KubeObject,
  old: KubeObject | undefined,
): FieldError[] {
  const { metadata } = object;
  const errors: FieldError[] = [];
  if (old === undefined) errors.push(...nameErrors(resource, metadata));
  errors.push(...labelErrors(metadata));
  errors.push(...finalizerErrors(metadata, old?.metadata, resource.origin === "custom"));
  errors.push(...ownerErrors(metadata));
  return errors;
}

function nameErrors(resource: ServedResource, metadata: ObjectMeta): FieldError[] {
  const name = metadata.name ?? "";
  if (name === "") return [fieldRequired("metadata.name", "name or generateName is required")];
  const fault = (resource.strategy.nameFault ?? subdomainFault)(name);
  return fault === undefined ? [] : [fieldInvalid("metadata.name", name, fault)];
}

const MAX_ANNOTATION_BYTES = 256 * 1024;

export function labelErrors({ labels, annotations }: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    const keyFault = qualifiedNameFault(key);
    if (keyFault !== undefined) errors.push(fieldInvalid("metadata.labels", key, keyFault));
    const valueFault = labelValueFault(value);
    if (valueFault !== undefined) errors.push(fieldInvalid("metadata.labels", value, valueFault));
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const fault = qualifiedNameFault(key.toLowerCase());
    if (fault !== undefined) errors.push(fieldInvalid("metadata.annotations", key, fault));
    size += key.length + value.length;
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

/** Custom resources may have finalizers without a domain (Argo CD's has none); built-in kinds only the standard ones. */
function finalizerErrors({ finalizers = [] }: ObjectMeta, old: ObjectMeta | undefined, custom: boolean): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, finalizer] of finalizers.entries()) {
    const fault = qualifiedNameFault(finalizer);
    if (fault !== undefined) errors.push(fieldInvalid("metadata.finalizers", finalizer, fault));
    else if (!custom && !finalizer.includes("/") && !STANDARD_FINALIZERS.has(finalizer)) {
      errors.push(
        fieldInvalid(
          `metadata.finalizers[${i}]`,
          finalizer,
          "name is neither a standard finalizer name nor is it fully qualified",
        ),
      );
    }
  }
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(
      fieldInvalid("metadata.finalizers", finalizers, "finalizer orphan and foregroundDeletion cannot be both set"),
    );
  }
  if (old?.deletionTimestamp !== undefined) {
    const added = finalizers.filter((finalizer) => !(old.finalizers ?? []).includes(finalizer));
    if (added.length > 0) {
      errors.push(
        fieldForbidden(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
            .map((finalizer) => JSON.stringify(finalizer))
            .join(", ")}}`,
        ),
      );
    }
  }
  return errors;
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
