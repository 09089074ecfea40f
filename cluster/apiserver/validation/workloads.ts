/** Deployments, replica sets, daemon sets, stateful sets, replication controllers. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  atMost100Percent,
  checkText,
  countOrPercent,
  dnsLabel,
  type Errors,
  isEmptySelector,
  labelSelector,
  nonNegative,
  oneOf,
  selectorMatches,
  templateLabels,
} from "./checks.ts";
import { child, type Fields, has, items, number, text } from "./fields.ts";
import { checkPodTemplate } from "./pod-spec.ts";
import { checkClaimSpec } from "./claims.ts";

const EMPTY_LABELS = "`selector` does not match template `labels`";

/** The selector is there, says something, stays as it is, and finds the pods of the template. */
function checkSelector(spec: Fields, old: Fields | undefined, kind: string, required: boolean, errors: Errors): void {
  const selector = child(spec, "selector");
  if (selector === undefined) {
    if (required) errors.push(fieldRequired("spec.selector"));
  } else {
    labelSelector(selector, "spec.selector", errors);
    if (isEmptySelector(selector))
      errors.push(fieldInvalid("spec.selector", selector, `empty selector is invalid for ${kind}`));
    else if (kind === "deployment" && !isSound(selector))
      errors.push(fieldInvalid("spec.selector", selector, "invalid label selector"));
  }
  if (old !== undefined && !equalJson(selector ?? null, child(old, "selector") ?? null)) {
    errors.push(fieldInvalid("spec.selector", selector, "field is immutable"));
  }
  const labels = templateLabels(child(spec, "template"));
  if (
    selector === undefined
      ? required || kind === "daemonset"
      : !isEmptySelector(selector) && !selectorMatches(selector, labels) && isSound(selector)
  ) {
    errors.push(fieldInvalid("spec.template.metadata.labels", labels ?? null, EMPTY_LABELS));
  }
}

function isSound(selector: Fields): boolean {
  const errors: Errors = [];
  labelSelector(selector, "", errors);
  return errors.length === 0;
}

/** Only pods that run for ever. */
function checkTemplate(spec: Fields, path: string, errors: Errors): void {
  const template = child(spec, "template");
  checkPodTemplate(template, path, errors);
  const pod = child(template, "spec");
  if (text(pod, "restartPolicy") !== "Always" && pod !== undefined) {
    const others = errors.findIndex((error) => error.field === `${path}.spec.restartPolicy`);
    if (others >= 0) errors.splice(others, 1);
    errors.push(fieldNotSupported(`${path}.spec.restartPolicy`, text(pod, "restartPolicy"), ["Always"]));
  }
  if (has(pod, "activeDeadlineSeconds")) {
    errors.push(
      fieldForbidden(`${path}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in ReplicaSet is not Supported"),
    );
  }
}

function counts(spec: Fields, keys: readonly string[], errors: Errors): void {
  for (const key of keys) nonNegative(number(spec, key), `spec.${key}`, errors);
}

/** The type and bounds of an update, as upstream shows them. */
function shown(strategy: Fields): Fields {
  const rolling = child(strategy, "rollingUpdate");
  return {
    Type: text(strategy, "type"),
    RollingUpdate:
      rolling === undefined
        ? null
        : { MaxUnavailable: rolling["maxUnavailable"] ?? 0, MaxSurge: rolling["maxSurge"] ?? 0 },
  };
}

const isZero = (value: unknown): boolean => value === 0 || value === "0%" || value === undefined;

function checkStrategy(spec: Fields, errors: Errors): void {
  const strategy = child(spec, "strategy") ?? {};
  const rolling = child(strategy, "rollingUpdate");
  const path = "spec.strategy";
  if (strategy["type"] === "Recreate") {
    if (rolling !== undefined)
      errors.push(fieldForbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"));
  } else if (strategy["type"] === "RollingUpdate") {
    if (rolling === undefined)
      errors.push(fieldRequired(`${path}.rollingUpdate`, "this should be defaulted and never be nil"));
    else checkRolling(rolling, `${path}.rollingUpdate`, errors);
  } else oneOfStruct(shown(strategy), path, ["Recreate", "RollingUpdate"], errors);
}

function checkRolling(rolling: Fields, path: string, errors: Errors): void {
  for (const key of ["maxUnavailable", "maxSurge"]) countOrPercent(rolling[key], `${path}.${key}`, errors);
  if (isZero(rolling["maxUnavailable"]) && isZero(rolling["maxSurge"])) {
    errors.push(
      fieldInvalid(`${path}.maxUnavailable`, rolling["maxUnavailable"] ?? 0, "may not be 0 when `maxSurge` is 0"),
    );
  }
  atMost100Percent(rolling["maxUnavailable"], `${path}.maxUnavailable`, errors);
}

const oneOfStruct = (value: unknown, path: string, supported: readonly string[], errors: Errors): void => {
  errors.push(fieldNotSupported(path, value, supported));
};

export function checkDeployment(deployment: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(deployment, "spec") ?? {};
  counts(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit"], errors);
  checkSelector(spec, child(old, "spec"), "deployment", true, errors);
  checkTemplate(spec, "spec.template", errors);
  checkStrategy(spec, errors);
  const deadline = number(spec, "progressDeadlineSeconds");
  nonNegative(deadline, "spec.progressDeadlineSeconds", errors);
  if (deadline !== undefined && deadline >= 0 && deadline <= (number(spec, "minReadySeconds") ?? 0)) {
    errors.push(fieldInvalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
}

export function checkReplicaSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  counts(spec, ["replicas", "minReadySeconds"], errors);
  checkSelector(spec, child(old, "spec"), "deployment", true, errors);
  checkTemplate(spec, "spec.template", errors);
}

export function checkReplicationController(controller: KubeObject, errors: Errors): void {
  const spec = child(controller, "spec") ?? {};
  counts(spec, ["replicas", "minReadySeconds"], errors);
  const selector = child(spec, "selector");
  const labels = templateLabels(child(spec, "template"));
  if (selector === undefined) errors.push(fieldRequired("spec.selector"));
  else if (!selectorMatches({ matchLabels: selector }, labels))
    errors.push(fieldInvalid("spec.template.metadata.labels", labels ?? null, EMPTY_LABELS));
  if (!has(spec, "template")) errors.push(fieldRequired("spec.template"));
  else checkTemplate(spec, "spec.template", errors);
}

export function checkDaemonSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  checkSelector(spec, child(old, "spec"), "daemonset", false, errors);
  checkTemplate(spec, "spec.template", errors);
  counts(spec, ["minReadySeconds", "revisionHistoryLimit"], errors);
  const strategy = child(spec, "updateStrategy") ?? {};
  const type = text(strategy, "type");
  if (type === "RollingUpdate") daemonRolling(child(strategy, "rollingUpdate") ?? {}, errors);
  else if (type !== "OnDelete")
    oneOfStruct(shown(strategy), "spec.updateStrategy", ["RollingUpdate", "OnDelete"], errors);
}

function daemonRolling(rolling: Fields, errors: Errors): void {
  const path = "spec.updateStrategy.rollingUpdate";
  for (const key of ["maxUnavailable", "maxSurge"]) {
    countOrPercent(rolling[key], `${path}.${key}`, errors);
    atMost100Percent(rolling[key], `${path}.${key}`, errors);
  }
  const surges = !isZero(rolling["maxSurge"]);
  if (!surges && isZero(rolling["maxUnavailable"]))
    errors.push(fieldRequired(`${path}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  else if (surges && !isZero(rolling["maxUnavailable"]))
    errors.push(
      fieldInvalid(`${path}.maxSurge`, rolling["maxSurge"], "may not be set when maxUnavailable is non-zero"),
    );
}

const STATEFUL_MUTABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];
const STATEFUL_TEXT =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', " +
  "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function statefulStrategy(spec: Fields, errors: Errors): void {
  const strategy = child(spec, "updateStrategy") ?? {};
  const rolling = child(strategy, "rollingUpdate");
  const path = "spec.updateStrategy";
  switch (text(strategy, "type")) {
    case "":
      errors.push(fieldRequired(path));
      break;
    case "OnDelete":
      if (rolling !== undefined) {
        const bounds = { Partition: rolling["partition"] ?? 0, MaxUnavailable: rolling["maxUnavailable"] ?? null };
        errors.push(fieldInvalid(`${path}.rollingUpdate`, bounds, "only allowed for updateStrategy 'RollingUpdate'"));
      }
      break;
    case "RollingUpdate":
      nonNegative(number(rolling, "partition"), `${path}.rollingUpdate.partition`, errors);
      break;
    default:
      errors.push(fieldInvalid(path, shown(strategy), "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

/** As its pods will be: with a volume for each claim, and host names that are the controller's. */
function withClaims(spec: Fields): Fields {
  const template = child(spec, "template");
  const pod = child(template, "spec");
  if (template === undefined || pod === undefined) return spec;
  const claims = items(spec, "volumeClaimTemplates").map((claim) => text(child(claim, "metadata"), "name"));
  const added = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const own = items(pod, "volumes").filter((volume) => !claims.includes(text(volume, "name")));
  const volumes = [...added, ...own];
  return {
    ...spec,
    template: { ...template, spec: { ...pod, volumes, subdomain: undefined, hostname: undefined } },
  };
}

export function checkStatefulSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  const management = text(spec, "podManagementPolicy");
  if (management !== "OrderedReady" && management !== "Parallel") {
    errors.push(fieldInvalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"));
  }
  statefulStrategy(spec, errors);
  const retention = child(spec, "persistentVolumeClaimRetentionPolicy");
  for (const key of ["whenDeleted", "whenScaled"]) {
    if (retention !== undefined)
      oneOf(text(retention, key), `spec.persistentVolumeClaimRetentionPolicy.${key}`, ["Retain", "Delete"], errors);
  }
  counts(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit"], errors);
  nonNegative(number(child(spec, "ordinals"), "start"), "spec.ordinals.start", errors);
  if (text(spec, "serviceName") !== "") checkText(text(spec, "serviceName"), "spec.serviceName", dnsLabel, errors);
  checkSelector(spec, undefined, "statefulset", true, errors);
  if (old === undefined)
    items(spec, "volumeClaimTemplates").forEach((claim, i) =>
      checkClaimSpec(child(claim, "spec"), `spec.volumeClaimTemplates[${i}].spec`, errors),
    );
  checkTemplate(withClaims(spec), "spec.template", errors);
  const before = child(old, "spec");
  if (before === undefined) return;
  const fixed = (of: Fields): Fields =>
    Object.fromEntries(Object.entries(of).filter(([key]) => !STATEFUL_MUTABLE.includes(key)));
  if (!equalJson(fixed(spec), fixed(before))) errors.push(fieldForbidden("spec", STATEFUL_TEXT));
}

export function checkControllerRevision(revision: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (!has(revision, "data")) errors.push(fieldRequired("data", "data is mandatory"));
  nonNegative(number(revision, "revision"), "revision", errors);
  if (old !== undefined && !equalJson(revision["data"] ?? null, old["data"] ?? null)) {
    errors.push(fieldInvalid("data", revision["data"], "field is immutable"));
  }
}
