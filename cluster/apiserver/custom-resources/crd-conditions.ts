/** Names a CRD may have, and the conditions that say so. */
import type { Condition, KubeObject } from "@travelops/kube";
import { array, read, record, text } from "../registry/printers/printer.ts";
import { hasUnreadableBundle } from "./definition/check-conversion.ts";
import { groupOf, namesOf, type CustomNames } from "./served-custom-resource.ts";

export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

type Status = Readonly<Record<string, unknown>>;

/** The status with one condition set; its time stays when nothing else changes. */
export function setCondition(status: Status, condition: Condition): Record<string, unknown> {
  const conditions = array(status["conditions"]) as readonly Condition[];
  const before = conditions.find(({ type }) => type === condition.type);
  const next =
    before !== undefined && before.status === condition.status
      ? { ...condition, lastTransitionTime: before.lastTransitionTime }
      : condition;
  return {
    ...status,
    conditions: before === undefined ? [...conditions, next] : conditions.map((one) => (one === before ? next : one)),
  };
}

export const hasCondition = (crd: KubeObject, type: string): boolean =>
  array(read(crd, "status", "conditions")).some((c) => read(c, "type") === type && read(c, "status") === "True");

/** Names and kinds that others of the group hold already. */
export interface TakenNames {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** The first name that somebody else has, with the reason of the condition; undefined when all are free. */
function clash(names: CustomNames, taken: TakenNames): { reason: string; message: string } | undefined {
  const used = (name: string): string => `${JSON.stringify(name)} is already in use`;
  if (taken.resources.has(names.plural)) return { reason: "PluralConflict", message: used(names.plural) };
  if (taken.resources.has(names.singular)) return { reason: "SingularConflict", message: used(names.singular) };
  const short = names.shortNames.find((name) => taken.resources.has(name));
  if (short !== undefined) return { reason: "ShortNamesConflict", message: used(short) };
  if (taken.kinds.has(names.kind)) return { reason: "KindConflict", message: used(names.kind) };
  if (taken.kinds.has(names.listKind)) return { reason: "ListKindConflict", message: used(names.listKind) };
  return undefined;
}

/** What a CRD holds of its group's names once they are accepted. */
export function heldNames(crd: KubeObject): TakenNames {
  const accepted = read(crd, "status", "acceptedNames");
  const strings = (value: unknown): string[] => array(value).map((item) => text(item));
  return {
    resources: new Set(
      [
        text(read(accepted, "plural")),
        text(read(accepted, "singular")),
        ...strings(read(accepted, "shortNames")),
      ].filter((n) => n !== ""),
    ),
    kinds: new Set([text(read(accepted, "kind")), text(read(accepted, "listKind"))].filter((n) => n !== "")),
  };
}

function acceptedNames(names: CustomNames): Record<string, unknown> {
  return {
    plural: names.plural,
    singular: names.singular,
    ...(names.shortNames.length > 0 ? { shortNames: names.shortNames } : {}),
    kind: names.kind,
    listKind: names.listKind,
    ...(names.categories.length > 0 ? { categories: names.categories } : {}),
  };
}

/** Whether a CRD is served, and why; one that is stays so. */
function establishment(crd: KubeObject, named: boolean, before: boolean): Omit<Condition, "type"> {
  if (!named) return { status: "False", reason: "NotAccepted", message: "not all names are accepted" };
  if (!before && hasUnreadableBundle(crd))
    return { status: "False", reason: "InvalidCABundle", message: "The conversion webhook CABundle is invalid" };
  return { status: "True", reason: "InitialNamesAccepted", message: "the initial names have been accepted" };
}

/** The status a CRD should have, given what others of its group hold. */
export function establishedStatus(crd: KubeObject, taken: TakenNames, now: string): Record<string, unknown> {
  const names = namesOf(crd);
  const conflict = clash(names, taken);
  const established = hasCondition(crd, "Established");
  let status: Record<string, unknown> = { ...record(crd["status"]) };
  if (conflict === undefined) status["acceptedNames"] = acceptedNames(names);
  status = setCondition(status, {
    type: "NamesAccepted",
    status: conflict === undefined ? "True" : "False",
    reason: conflict === undefined ? "NoConflicts" : conflict.reason,
    message: conflict === undefined ? "no conflicts found" : conflict.message,
    lastTransitionTime: now,
  });
  status = setCondition(status, {
    type: "Established",
    ...establishment(crd, conflict === undefined || established, established),
    lastTransitionTime: now,
  });
  const protectedGroup = /(^|\.)(k8s\.io|kubernetes\.io)$/.test(groupOf(crd));
  const approval = crd.metadata.annotations?.["api-approved.kubernetes.io"];
  if (protectedGroup && approval !== undefined) {
    const unapproved = approval.startsWith("unapproved");
    status = setCondition(status, {
      type: "KubernetesAPIApprovalPolicyConformant",
      status: unapproved ? "False" : "True",
      reason: unapproved ? "UnapprovedAnnotation" : "ApprovedAnnotation",
      message: unapproved ? `not approved: ${JSON.stringify(approval)}` : `approved in ${approval}`,
      lastTransitionTime: now,
    });
  }
  return status;
}

/** The status of a CRD whose objects are being deleted says so. */
export function drainingStatus(crd: KubeObject, status: Record<string, unknown>, now: string): Record<string, unknown> {
  if (crd.metadata.deletionTimestamp === undefined || !(crd.metadata.finalizers ?? []).includes(CLEANUP_FINALIZER))
    return status;
  return setCondition(status, {
    type: "Terminating",
    status: "True",
    reason: "InstanceDeletionInProgress",
    message: "CustomResource deletion is in progress",
    lastTransitionTime: now,
  });
}
