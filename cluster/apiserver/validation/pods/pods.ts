/** Pods, and what may change of one that exists. */
import { fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { qosClass } from "../../registry/strategies/pods.ts";
import type { Errors } from "../checks.ts";
import { forbiddenChange } from "../comparison/forbidden-change.ts";
import { checkPadding } from "./containers.ts";
import { checkEphemeralChange } from "./ephemeral-containers.ts";
import { child, entries, type Fields, has, items, list, number, text } from "../fields.ts";
import { checkAnnotationChanges, checkPodAnnotations, checkProfilesMatch } from "./pod-annotations.ts";
import { checkPodSpec } from "./pod-spec.ts";
import { checkTolerations } from "./scheduling.ts";

const ONLY =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
  "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const MAX_INT32 = 2 ** 31 - 1;

const withImages = (spec: Fields, before: Fields, key: string): unknown =>
  items(spec, key).map((container, i) => ({ ...container, image: items(before, key)[i]?.["image"] }));

/** The new spec with everything that may change put back to what it was. */
function settled(spec: Fields, before: Fields): Fields {
  const changed: Record<string, unknown> = {
    ...spec,
    containers: withImages(spec, before, "containers"),
    tolerations: before["tolerations"],
    activeDeadlineSeconds: before["activeDeadlineSeconds"],
    schedulingGates: before["schedulingGates"],
  };
  if (has(spec, "initContainers")) changed["initContainers"] = withImages(spec, before, "initContainers");
  const grace = number(before, "terminationGracePeriodSeconds");
  if (grace !== undefined && grace < 0 && spec["terminationGracePeriodSeconds"] === 1)
    changed["terminationGracePeriodSeconds"] = grace;
  if (list(before, "schedulingGates").length > 0) {
    changed["nodeSelector"] = before["nodeSelector"];
    const { nodeAffinity: _new, ...others } = child(spec, "affinity") ?? {};
    const kept = child(before, "affinity")?.["nodeAffinity"];
    const affinity = kept === undefined ? others : { ...others, nodeAffinity: kept };
    changed["affinity"] =
      Object.keys(affinity).length === 0 && !has(before, "affinity") ? before["affinity"] : affinity;
  }
  return changed;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** Whether the deadline may become what it is to be: only shorter. */
function deadlineHolds(spec: Fields, before: Fields, errors: Errors): boolean {
  const at = "spec.activeDeadlineSeconds";
  const old = number(before, "activeDeadlineSeconds");
  const next = number(spec, "activeDeadlineSeconds");
  if (next === undefined) {
    if (old !== undefined) errors.push(fieldInvalid(at, null, "must not update from a positive integer to nil value"));
    return true;
  }
  if (next < 0 || next > MAX_INT32)
    errors.push(fieldInvalid(at, next, `must be between 0 and ${MAX_INT32}, inclusive`));
  else if (old === undefined || next <= old) return true;
  else errors.push(fieldInvalid(at, next, "must be less than or equal to previous value"));
  return false;
}

function checkContainerCounts(spec: Fields, before: Fields, errors: Errors): boolean {
  for (const key of ["containers", "initContainers"]) {
    if (list(spec, key).length !== list(before, key).length) {
      errors.push(fieldForbidden(`spec.${key}`, "pod updates may not add or remove containers"));
      return false;
    }
    items(spec, key).forEach((container, i) => {
      if (text(container, "image") === "") errors.push(fieldRequired(`spec.${key}[${i}].image`));
      checkPadding(container, `spec.${key}[${i}]`, errors);
    });
  }
  return true;
}

function checkTolerationChange(spec: Fields, before: Fields, errors: Errors): void {
  const timeless = (toleration: unknown): object => ({ ...(toleration as object), tolerationSeconds: undefined });
  const next = list(spec, "tolerations").map(timeless);
  const gone = list(before, "tolerations").some((old) => !next.some((one) => equalJson(one, timeless(old))));
  if (gone)
    errors.push(
      fieldForbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"),
    );
  else checkTolerations(spec, "spec", errors);
}

/** Where a pod that is held back may go can only become narrower. */
function checkGatedChange(spec: Fields, before: Fields, errors: Errors): void {
  const selector = child(spec, "nodeSelector");
  if (entries(before, "nodeSelector").some(([key, value]) => selector?.[key] !== value))
    errors.push(
      fieldInvalid(
        "spec.nodeSelector",
        selector ?? null,
        "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
      ),
    );
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const termsOf = (of: Fields): readonly Fields[] =>
    items(child(child(child(of, "affinity"), "nodeAffinity"), required), "nodeSelectorTerms");
  const [now, old] = [termsOf(spec), termsOf(before)];
  const at = `spec.affinity.nodeAffinity.${required}.nodeSelectorTerms`;
  if (old.length > 0 && old.length !== now.length) {
    const detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
    errors.push(fieldInvalid(at, now.length === 0 ? null : now.map(termShown), detail));
    return;
  }
  old.forEach((term, i) => {
    if (!onlyAdds(now[i] ?? {}, term))
      errors.push(
        fieldInvalid(`${at}[${i}]`, termShown(now[i] ?? {}), "only additions are allowed (no mutations or deletions)"),
      );
  });
}

const TERM_LISTS = ["matchExpressions", "matchFields"] as const;

function termShown(term: Fields): Fields {
  const shown = (key: string): unknown =>
    has(term, key)
      ? items(term, key).map((one) => ({
          Key: text(one, "key"),
          Operator: text(one, "operator"),
          Values: one["values"] ?? null,
        }))
      : null;
  return { MatchExpressions: shown("matchExpressions"), MatchFields: shown("matchFields") };
}

function onlyAdds(now: Fields, old: Fields): boolean {
  if (TERM_LISTS.every((key) => list(old, key).length === 0))
    return TERM_LISTS.every((key) => list(now, key).length === 0);
  return TERM_LISTS.every((key) => equalJson(list(now, key).slice(0, list(old, key).length), list(old, key)));
}

function checkUpdate(spec: Fields, before: Fields, errors: Errors): void {
  if (!checkContainerCounts(spec, before, errors) || !deadlineHolds(spec, before, errors)) return;
  checkTolerationChange(spec, before, errors);
  const gates = items(before, "schedulingGates").map((gate) => text(gate, "name"));
  items(spec, "schedulingGates").forEach((gate, i) => {
    const name = text(gate, "name");
    if (!gates.includes(name))
      errors.push(
        fieldForbidden(
          `spec.schedulingGates[${i}].name`,
          `only deletion is allowed, but found new scheduling gate '${name}'`,
        ),
      );
  });
  if (gates.length > 0) checkGatedChange(spec, before, errors);
  const next = settled(spec, before);
  if (!equalJson(plain(next), plain(before))) errors.push(forbiddenChange("spec", ONLY, "PodSpec", before, next));
}

/** The class stays what the pod was given with its creation. */
function checkResize(pod: KubeObject, spec: Fields, errors: Errors): void {
  const before = errors.length;
  checkWhole(pod, spec, errors);
  const known = text(child(pod, "status") ?? {}, "qosClass");
  if (errors.length === before && known !== "" && known !== qosClass(pod))
    errors.push(fieldInvalid("spec", known, "Pod QOS Class may not change as a result of resizing"));
}

function checkTokens(spec: Fields, errors: Errors): void {
  if (text(spec, "serviceAccountName") !== "") return;
  items(spec, "volumes").forEach((volume, i) => {
    items(child(volume, "projected"), "sources").forEach((source, j) => {
      if (!has(source, "serviceAccountToken")) return;
      errors.push(
        fieldForbidden(
          `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
          "must not be specified when serviceAccountName is not set",
        ),
      );
    });
  });
}

const ANNOTATIONS = "metadata.annotations";

/** Annotations and spec, and what holds of pods but not of templates. */
function checkWhole(pod: KubeObject, spec: Fields, errors: Errors): void {
  const { name } = pod.metadata;
  checkPodAnnotations(child(pod, "metadata"), spec, ANNOTATIONS, errors);
  checkPodSpec(spec, "spec", { template: false, podName: name === "" ? undefined : name }, errors);
  checkTokens(spec, errors);
  for (const key of ["containers", "initContainers"])
    items(spec, key).forEach((container, i) => checkPadding(container, `spec.${key}[${i}]`, errors));
}

function checkNew(pod: KubeObject, spec: Fields, errors: Errors): void {
  if (list(spec, "ephemeralContainers").length > 0)
    errors.push(fieldForbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (list(spec, "schedulingGates").length > 0 && text(spec, "nodeName") !== "")
    errors.push(fieldForbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  checkProfilesMatch(child(pod, "metadata"), spec, "spec", errors);
}

/** Annotations are looked at once more where they may not change, as upstream does. */
function checkSaid(pod: KubeObject, spec: Fields, old: KubeObject, errors: Errors): void {
  const metadata = child(pod, "metadata");
  checkAnnotationChanges(metadata, child(old, "metadata"), ANNOTATIONS, errors);
  checkPodAnnotations(metadata, spec, ANNOTATIONS, errors);
}

/** A write of a pod, or of the part of it that `subresource` is. */
export function checkPod(pod: KubeObject, old: KubeObject | undefined, subresource: string, errors: Errors): void {
  const spec = child(pod, "spec") ?? {};
  if (subresource === "resize") return checkResize(pod, spec, errors);
  if (subresource === "status" && old !== undefined) return checkSaid(pod, spec, old, errors);
  // What admission and the node changed of a running pod is not looked at again.
  if (subresource !== "" && subresource !== "ephemeralcontainers") return;
  checkWhole(pod, spec, errors);
  if (old === undefined) return checkNew(pod, spec, errors);
  checkSaid(pod, spec, old, errors);
  if (subresource === "ephemeralcontainers") checkEphemeralChange(pod, old, errors);
  else checkUpdate(spec, child(old, "spec") ?? {}, errors);
}
