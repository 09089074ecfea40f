/** Deployments, replica sets, daemon sets, stateful sets, replication controllers. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  atMost100Percent,
  checkAnnotations,
  checkLabels,
  checkText,
  countOrPercent,
  dnsLabel,
  type Errors,
  isEmptySelector,
  isSoundSelector,
  labelSelector,
  nonNegative,
  oneOf,
  requireText,
  selectorMatches,
  selectorShown,
  templateLabels,
} from "../checks.ts";
import { child, entries, type Fields, has, items, number, text } from "../fields.ts";
import { checkPodAnnotations } from "../pods/pod-annotations.ts";
import { checkPodTemplate } from "../pods/pod-spec.ts";
import { checkClaimSpec } from "../storage/claims.ts";

const EMPTY_LABELS = "`selector` does not match template `labels`";

/** The selector is there and says something; its faults are named as those of `kind`. */
function checkSelector(spec: Fields, kind: string, errors: Errors): void {
  const selector = child(spec, "selector");
  if (selector === undefined) {
    errors.push(fieldRequired("spec.selector"));
    return;
  }
  labelSelector(selector, "spec.selector", errors);
  if (isEmptySelector(selector))
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), `empty selector is invalid for ${kind}`));
}

function checkImmutableSelector(spec: Fields, old: KubeObject | undefined, errors: Errors): void {
  if (old === undefined) return;
  const selector = child(spec, "selector");
  if (!equalJson(selector ?? null, child(child(old, "spec"), "selector") ?? null))
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), "field is immutable"));
}

/** The selector finds the pods of the template. One that is missing finds none. */
function checkLabelsFound(spec: Fields, errors: Errors): void {
  const selector = child(spec, "selector");
  const labels = templateLabels(child(spec, "template"));
  if (selector === undefined || (!isEmptySelector(selector) && !selectorMatches(selector, labels)))
    errors.push(fieldInvalid("spec.template.metadata.labels", labels ?? null, EMPTY_LABELS));
}

/** Only pods that run for ever. */
function checkLasting(spec: Fields, kind: string, errors: Errors): void {
  const pod = child(child(spec, "template"), "spec");
  const path = "spec.template.spec";
  if (text(pod, "restartPolicy") !== "Always")
    errors.push(fieldNotSupported(`${path}.restartPolicy`, text(pod, "restartPolicy"), ["Always"]));
  if (has(pod, "activeDeadlineSeconds"))
    errors.push(fieldForbidden(`${path}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
}

/** The template of a replica set, or of a deployment, which makes them. */
function checkReplicaTemplate(spec: Fields, errors: Errors): void {
  const selector = child(spec, "selector");
  if (!isSoundSelector(selector)) {
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), "invalid label selector"));
    return;
  }
  checkLabelsFound(spec, errors);
  checkPodTemplate(child(spec, "template"), "spec.template", errors);
  checkLasting(spec, "ReplicaSet", errors);
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

/** As upstream reads it: what is no number counts as none. */
const isZero = (value: unknown): boolean =>
  typeof value === "string"
    ? !/^(?:\d+%|[+-]?\d+)$/.test(value) || Number.parseInt(value, 10) === 0
    : (value ?? 0) === 0;

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
  counts(spec, ["replicas"], errors);
  checkSelector(spec, "deployment", errors);
  checkReplicaTemplate(spec, errors);
  checkStrategy(spec, errors);
  counts(spec, ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"], errors);
  const deadline = number(spec, "progressDeadlineSeconds");
  if (deadline !== undefined && deadline <= (number(spec, "minReadySeconds") ?? 0))
    errors.push(fieldInvalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  checkImmutableSelector(spec, old, errors);
}

export function checkReplicaSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  counts(spec, ["replicas", "minReadySeconds"], errors);
  checkSelector(spec, "deployment", errors);
  checkReplicaTemplate(spec, errors);
  checkImmutableSelector(spec, old, errors);
}

export function checkReplicationController(controller: KubeObject, errors: Errors): void {
  const spec = child(controller, "spec") ?? {};
  const selector = child(spec, "selector");
  const template = child(spec, "template");
  const labels = templateLabels(template);
  if (entries(spec, "selector").length === 0) errors.push(fieldRequired("spec.selector"));
  if (template === undefined) errors.push(fieldRequired("spec.template"));
  else {
    if (selector !== undefined && !selectorMatches({ matchLabels: selector }, labels))
      errors.push(fieldInvalid("spec.template.metadata.labels", labels ?? null, EMPTY_LABELS));
    checkPodTemplate(template, "spec.template", errors);
    checkLasting(spec, "ReplicationController", errors);
  }
  counts(spec, ["replicas", "minReadySeconds"], errors);
}

export function checkDaemonSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  const selector = child(spec, "selector");
  checkImmutableSelector(spec, old, errors);
  labelSelector(selector, "spec.selector", errors);
  if (isSoundSelector(selector)) checkLabelsFound(spec, errors);
  if (selector !== undefined && isEmptySelector(selector))
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), "empty selector is invalid for daemonset"));
  checkPodTemplate(child(spec, "template"), "spec.template", errors);
  checkLasting(spec, "DaemonSet", errors);
  counts(spec, ["minReadySeconds"], errors);
  const strategy = child(spec, "updateStrategy") ?? {};
  const type = text(strategy, "type");
  if (type === "RollingUpdate") daemonRolling(child(strategy, "rollingUpdate") ?? {}, errors);
  else if (type !== "OnDelete")
    oneOfStruct(shown(strategy), "spec.updateStrategy", ["RollingUpdate", "OnDelete"], errors);
  counts(spec, ["revisionHistoryLimit"], errors);
}

function daemonRolling(rolling: Fields, errors: Errors): void {
  const path = "spec.updateStrategy.rollingUpdate";
  const bounds = ["maxUnavailable", "maxSurge"] as const;
  for (const key of bounds) countOrPercent(rolling[key], `${path}.${key}`, errors);
  for (const key of bounds) atMost100Percent(rolling[key], `${path}.${key}`, errors);
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

function statefulShown(strategy: Fields): Fields {
  const rolling = child(strategy, "rollingUpdate");
  const bounds = { Partition: rolling?.["partition"] ?? 0, MaxUnavailable: rolling?.["maxUnavailable"] ?? null };
  return { Type: text(strategy, "type"), RollingUpdate: rolling === undefined ? null : bounds };
}

function statefulStrategy(spec: Fields, errors: Errors): void {
  const strategy = child(spec, "updateStrategy") ?? {};
  const rolling = child(strategy, "rollingUpdate");
  const path = "spec.updateStrategy";
  switch (text(strategy, "type")) {
    case "":
      errors.push(fieldRequired(path));
      break;
    case "OnDelete":
      if (rolling !== undefined)
        errors.push(
          fieldInvalid(
            `${path}.rollingUpdate`,
            statefulShown(strategy)["RollingUpdate"],
            "only allowed for updateStrategy 'RollingUpdate'",
          ),
        );
      break;
    case "RollingUpdate":
      nonNegative(number(rolling, "partition"), `${path}.rollingUpdate.partition`, errors);
      break;
    default:
      errors.push(fieldInvalid(path, statefulShown(strategy), "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

/** As its pods will be: with a volume for each claim, and host names that are the controller's. */
function withClaims(spec: Fields): Fields {
  const template = child(spec, "template");
  const pod = child(template, "spec");
  if (template === undefined || pod === undefined) return spec;
  const claims = [
    ...new Set(items(spec, "volumeClaimTemplates").map((claim) => text(child(claim, "metadata"), "name"))),
  ];
  const added = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const own = items(pod, "volumes").filter((volume) => !claims.includes(text(volume, "name")));
  const volumes = [...added, ...own];
  return {
    ...spec,
    template: { ...template, spec: { ...pod, volumes, subdomain: undefined, hostname: undefined } },
  };
}

/** Upstream looks at labels and annotations of the template twice. */
function checkStatefulTemplate(spec: Fields, skip: boolean, errors: Errors): void {
  const selector = child(spec, "selector");
  if (!isSoundSelector(selector)) {
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), ""));
    return;
  }
  const template = child(withClaims(spec), "template");
  const metadata = child(template, "metadata");
  const path = "spec.template";
  checkLabelsFound(spec, errors);
  if (!skip) checkPodTemplate(template, path, errors);
  checkLabels(metadata, "labels", `${path}.labels`, errors);
  checkAnnotations(metadata, `${path}.annotations`, errors);
  checkPodAnnotations(metadata, child(template, "spec"), `${path}.annotations`, errors);
}

function checkStatefulSpec(spec: Fields, old: Fields | undefined, errors: Errors): void {
  const management = text(spec, "podManagementPolicy");
  if (requireText(management, "spec.podManagementPolicy", errors) && !["OrderedReady", "Parallel"].includes(management))
    errors.push(fieldInvalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"));
  statefulStrategy(spec, errors);
  const retention = child(spec, "persistentVolumeClaimRetentionPolicy");
  for (const key of ["whenDeleted", "whenScaled"]) {
    if (retention !== undefined)
      oneOf(text(retention, key), `spec.persistentVolumeClaimRetentionPolicy.${key}`, ["Retain", "Delete"], errors);
  }
  if (old === undefined)
    items(spec, "volumeClaimTemplates").forEach((claim, i) =>
      checkClaimSpec(child(claim, "spec"), `spec.volumeClaimTemplates[${i}].spec`, errors),
    );
  counts(spec, ["replicas", "minReadySeconds"], errors);
  nonNegative(number(child(spec, "ordinals"), "start"), "spec.ordinals.start", errors);
  if (old === undefined && text(spec, "serviceName") !== "")
    checkText(text(spec, "serviceName"), "spec.serviceName", dnsLabel, errors);
  checkSelector(spec, "statefulset", errors);
  checkStatefulTemplate(spec, old !== undefined && old !== spec && !wasSound(old), errors);
  checkLasting(spec, "StatefulSet", errors);
}

/** What was stored before its rules were, may stay. */
function wasSound(spec: Fields): boolean {
  const errors: Errors = [];
  checkStatefulSpec(spec, spec, errors);
  return errors.length === 0;
}

export function checkStatefulSet(set: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(set, "spec") ?? {};
  const before = child(old, "spec");
  checkStatefulSpec(spec, before, errors);
  if (before === undefined) return;
  const fixed = (of: Fields): Fields =>
    Object.fromEntries(Object.entries(of).filter(([key]) => !STATEFUL_MUTABLE.includes(key)));
  if (!equalJson(fixed(spec), fixed(before))) errors.push(fieldForbidden("spec", STATEFUL_TEXT));
}

export function checkControllerRevision(revision: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  nonNegative(number(revision, "revision"), "revision", errors);
  const data = revision["data"] ?? null;
  if (old !== undefined) {
    if (!equalJson(data, old["data"] ?? null)) errors.push(fieldInvalid("data", data, "field is immutable"));
  } else if (data === null) errors.push(fieldRequired("data", "data is mandatory"));
  else if (typeof data !== "object" || Array.isArray(data))
    errors.push(fieldRequired("data", "data must be a valid JSON object"));
}
