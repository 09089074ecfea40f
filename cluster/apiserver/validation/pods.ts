/** Pods, and what may change of one that exists. */
import { fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { qosClass } from "../registry/strategies/pods.ts";
import { type Errors } from "./checks.ts";
import { forbiddenChange } from "./comparison/forbidden-change.ts";
import { checkEphemeralContainers } from "./ephemeral-containers.ts";
import { child, type Fields, has, items, list, number, text } from "./fields.ts";
import { checkPodSpec } from "./pod-spec.ts";

const ONLY =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
  "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

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
    changed["affinity"] = before["affinity"];
  }
  return changed;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** Whether the deadline may become what it is to be: only shorter. */
function deadlineHolds(spec: Fields, before: Fields, errors: Errors): boolean {
  const old = number(before, "activeDeadlineSeconds");
  const next = number(spec, "activeDeadlineSeconds");
  if (old === undefined) return true;
  if (next === undefined)
    errors.push(
      fieldInvalid("spec.activeDeadlineSeconds", null, "must not update from a positive integer to nil value"),
    );
  else if (next > old)
    errors.push(fieldInvalid("spec.activeDeadlineSeconds", next, "must be less than or equal to previous value"));
  return next !== undefined && next <= old;
}

function checkUpdate(spec: Fields, before: Fields, errors: Errors): void {
  for (const key of ["containers", "initContainers"]) {
    if (list(spec, key).length !== list(before, key).length) {
      errors.push(fieldForbidden(`spec.${key}`, "pod updates may not add or remove containers"));
      return;
    }
  }
  items(spec, "containers").forEach((container, i) => {
    if (text(container, "image") === "") errors.push(fieldRequired(`spec.containers[${i}].image`));
  });
  if (!deadlineHolds(spec, before, errors)) return;
  const timeless = (toleration: unknown): object => ({ ...(toleration as object), tolerationSeconds: undefined });
  const tolerations = list(spec, "tolerations").map(timeless);
  for (const old of list(before, "tolerations"))
    if (!tolerations.some((one) => equalJson(one, timeless(old))))
      errors.push(
        fieldForbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"),
      );
  const gates = items(before, "schedulingGates").map((gate) => text(gate, "name"));
  items(spec, "schedulingGates").forEach((gate, i) => {
    if (!gates.includes(text(gate, "name")))
      errors.push(
        fieldForbidden(`spec.schedulingGates[${i}]`, "only deletion is allowed, but found new scheduling gate"),
      );
  });
  const next = settled(spec, before);
  if (!equalJson(plain(next), plain(before))) errors.push(forbiddenChange("spec", ONLY, "PodSpec", before, next));
}

/** The class stays what the pod was given with its creation. */
function checkResize(pod: KubeObject, spec: Fields, errors: Errors): void {
  const before = errors.length;
  checkPodSpec(spec, "spec", false, errors);
  const known = text(child(pod, "status") ?? {}, "qosClass");
  if (errors.length === before && known !== "" && known !== qosClass(pod))
    errors.push(fieldInvalid("spec", known, "Pod QOS Class may not change as a result of resizing"));
}

export function checkPod(pod: KubeObject, old: KubeObject | undefined, subresource: string, errors: Errors): void {
  const spec = child(pod, "spec") ?? {};
  if (subresource === "ephemeralcontainers") return checkEphemeralContainers(pod, old, errors);
  if (subresource === "resize") return checkResize(pod, spec, errors);
  // What admission and the node changed of a running pod is not looked at again.
  if (subresource !== "") return;
  checkPodSpec(spec, "spec", false, errors);
  if (old !== undefined) return checkUpdate(spec, child(old, "spec") ?? {}, errors);
  if (list(spec, "ephemeralContainers").length > 0)
    errors.push(fieldForbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (list(spec, "schedulingGates").length > 0 && text(spec, "nodeName") !== "") {
    errors.push(fieldForbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
}
