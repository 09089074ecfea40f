/** What is wrong with a status, where upstream looks at it: it is for controllers to write, and any may be wrong. */
import { fieldDuplicate, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { checkText, type Errors, oneOf, qualifiedName } from "../checks.ts";
import { child, entries, type Fields, has, items, number, text } from "../fields.ts";
import { checkNode } from "../objects/nodes.ts";
import { quotaResourceName, resourceQuantity } from "../objects/resource-names.ts";
import { checkClaimStatus } from "./claim-status.ts";
import { checkCounts, COUNTS } from "./counts.ts";
import { checkJobStatus } from "./job-status.ts";
import { checkLoadBalancer, checkServiceStatus } from "./load-balancer-status.ts";
import { checkPodStatus } from "./pod-status.ts";

/** `object` and what it was before. */
type StatusCheck = (object: KubeObject, old: KubeObject, errors: Errors) => void;

const NOTHING: Fields = {};
const specOf = (object: KubeObject): Fields => child(object, "spec") ?? NOTHING;
const statusOf = (object: KubeObject): Fields => child(object, "status") ?? NOTHING;

function checkPhase(namespace: KubeObject, _old: KubeObject, errors: Errors): void {
  const phase = text(statusOf(namespace), "phase");
  const going = namespace.metadata.deletionTimestamp !== undefined;
  const due = going ? "Terminating" : "Active";
  const when = `\`deletionTimestamp\` is ${going ? "not " : ""}empty`;
  if (phase !== due) errors.push(fieldInvalid("status.Phase", phase, `may only be '${due}' if ${when}`));
}

function checkQuotaStatus(quota: KubeObject, _old: KubeObject, errors: Errors): void {
  for (const key of ["hard", "used"]) {
    for (const [name, value] of entries(statusOf(quota), key)) {
      const path = `status.${key}[${name}]`;
      quotaResourceName(name, path, errors);
      resourceQuantity(name, value, path, errors);
    }
  }
}

/** Conditions of flow control: a type each. */
function checkTypes(object: KubeObject, _old: KubeObject, errors: Errors): void {
  const seen = new Set<string>();
  items(statusOf(object), "conditions").forEach((condition, i) => {
    const path = `status.conditions[${i}].type`;
    const type = text(condition, "type");
    if (seen.has(type)) errors.push(fieldDuplicate(path, type));
    seen.add(type);
    if (type === "") errors.push(fieldRequired(path));
  });
}

const REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
const isReason = new RegExp(`^${REASON}$`);
const REASON_FAULT = `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${REASON}')`;

function checkCondition(condition: Fields, path: string, errors: Errors): void {
  checkText(text(condition, "type"), `${path}.type`, qualifiedName, errors);
  oneOf(text(condition, "status"), `${path}.status`, ["False", "True", "Unknown"], errors);
  const generation = number(condition, "observedGeneration") ?? 0;
  if (generation < 0)
    errors.push(fieldInvalid(`${path}.observedGeneration`, generation, "must be greater than or equal to zero"));
  if (!has(condition, "lastTransitionTime")) errors.push(fieldRequired(`${path}.lastTransitionTime`));
  const reason = text(condition, "reason");
  if (reason === "") errors.push(fieldRequired(`${path}.reason`));
  else if (!isReason.test(reason)) errors.push(fieldInvalid(`${path}.reason`, reason, REASON_FAULT));
}

/** Conditions of the common kind. */
function checkConditions(object: KubeObject, _old: KubeObject, errors: Errors): void {
  const seen = new Set<string>();
  items(statusOf(object), "conditions").forEach((condition, i) => {
    const path = `status.conditions[${i}]`;
    const type = text(condition, "type");
    if (seen.has(type)) errors.push(fieldDuplicate(`${path}.type`, type));
    seen.add(type);
    checkCondition(condition, path, errors);
  });
}

const CHECKS: Readonly<Record<string, StatusCheck>> = {
  "pods.": (pod, old, errors) => checkPodStatus(specOf(old), statusOf(pod), statusOf(old), errors),
  "jobs.batch": (job, old, errors) => checkJobStatus(specOf(job), statusOf(job), statusOf(old), errors),
  "services.": (service, old, errors) => checkServiceStatus(specOf(service), statusOf(service), statusOf(old), errors),
  "ingresses.networking.k8s.io": (ingress, old, errors) =>
    checkLoadBalancer(statusOf(ingress), statusOf(old), false, errors),
  "persistentvolumeclaims.": (claim, _old, errors) => checkClaimStatus(statusOf(claim), errors),
  "namespaces.": checkPhase,
  "nodes.": checkNode,
  "resourcequotas.": checkQuotaStatus,
  "flowschemas.flowcontrol.apiserver.k8s.io": checkTypes,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": checkTypes,
  "poddisruptionbudgets.policy": checkConditions,
};

/** Faults of a write to `/status`, by table. */
export function checkStatus(table: string, object: KubeObject, old: KubeObject, errors: Errors): void {
  CHECKS[table]?.(object, old, errors);
  const counts = COUNTS[table];
  if (counts !== undefined) checkCounts(counts, statusOf(object), statusOf(old), errors);
}
