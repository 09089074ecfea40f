/** CustomResourceDefinitions themselves: what is checked, and what their deletion waits for. */
import { fieldInvalid, type Condition, type FieldError, type KubeObject } from "@travelops/kube";
import { array, read, record, text } from "../registry/printers/printer.ts";
import type { Strategy } from "../registry/strategy.ts";
import { child } from "../validation/fields.ts";
import { CLEANUP_FINALIZER, setCondition } from "./crd-conditions.ts";
import { checkApproval, checkDefinition, checkPreserving } from "./definition/check-definition.ts";
import { checkNames } from "./definition/check-names.ts";
import { formatWarnings } from "./definition/unknown-formats.ts";
import { tableOfCrd, versionsOf } from "./served-custom-resource.ts";

function validate(crd: KubeObject, old: KubeObject | undefined, subresource: string): FieldError[] {
  const errors: FieldError[] = [];
  if (subresource === "status") {
    checkNames(child(child(crd, "status"), "acceptedNames"), "status.acceptedNames", errors);
    return errors;
  }
  const name = crd.metadata.name ?? "";
  if (old === undefined && name !== "" && name !== tableOfCrd(crd))
    errors.push(fieldInvalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  checkDefinition(crd, old, errors);
  checkApproval(crd, old, errors);
  checkPreserving(crd, old, errors);
  return errors;
}

/** What is stored once is known to be stored until somebody has migrated it. */
const withStoredVersion = (crd: KubeObject): KubeObject => {
  const stored = array(read(crd, "status", "storedVersions"));
  const storage = versionsOf(crd).find((version) => read(version, "storage") === true);
  const name = text(read(storage, "name"));
  if (storage === undefined || stored.includes(name)) return crd;
  return { ...crd, status: { ...record(crd["status"]), storedVersions: [...stored, name] } };
};

export const crdStrategy: Partial<Strategy> = {
  marksDeletionBare: true,
  prepareForCreate(crd, { warn }) {
    formatWarnings(crd).forEach(warn);
    const status = { conditions: null, acceptedNames: { plural: "", kind: "" }, storedVersions: null };
    return withStoredVersion({ ...crd, status });
  },
  prepareForUpdate(crd, old, { warn }) {
    formatWarnings(crd, old).forEach(warn);
    return withStoredVersion(crd);
  },
  validate,
  /** Its objects go first. */
  beforeDelete(crd, old, { now }) {
    if (old.metadata.deletionTimestamp !== undefined) return crd;
    const finalizers = crd.metadata.finalizers ?? [];
    const condition: Condition = {
      type: "Terminating",
      status: "True",
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
      lastTransitionTime: now,
    };
    return {
      ...crd,
      metadata: {
        ...crd.metadata,
        finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
      },
      status: setCondition(record(crd["status"]), condition),
    };
  },
};
