import type { KubeObject } from "@travelops/kube";
import type { Admission, AdmissionAttributes } from "../access.ts";

/** All phases in order, as a write without webhooks has them. */
export function runAdmission(admission: Admission, attributes: AdmissionAttributes): KubeObject | undefined {
  const object = admission.mutate(attributes);
  const outcome = object === undefined ? attributes : { ...attributes, object };
  admission.validate(outcome);
  admission.charge(outcome);
  return object;
}
