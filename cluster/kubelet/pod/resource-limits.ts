/** What the containers of a pod may use, as the sandbox takes it. */
import { quantityMilli, quantityValue, tryParseQuantity, type Quantity } from "@travelops/kube/api/quantity.ts";
import type { Pod, ResourceRequirements } from "@travelops/kube/api/types/index.ts";
import type { PodSandboxSpec, ResourceLimits } from "../sandbox/sandbox.ts";

/** As OpenShift sets it. */
export const POD_PIDS_LIMIT = 4096;

export function resourceLimits(resources: ResourceRequirements | undefined): ResourceLimits {
  const memory = positive(resources?.limits?.["memory"]);
  const cpu = positive(resources?.limits?.["cpu"]);
  const share = positive(resources?.requests?.["cpu"]) ?? cpu;
  return {
    ...(memory === undefined ? {} : { memoryBytes: Number(quantityValue(memory)) }),
    ...(cpu === undefined ? {} : { cpuMilli: Number(quantityMilli(cpu)) }),
    ...(share === undefined ? {} : { sharesMilli: Number(quantityMilli(share)) }),
  };
}

export const podLimits = (pod: Pod, pids: number): NonNullable<PodSandboxSpec["limits"]> => ({
  ...resourceLimits(pod.spec.resources),
  pids,
});

export const sameLimits = (a: ResourceLimits, b: ResourceLimits): boolean =>
  a.memoryBytes === b.memoryBytes && a.cpuMilli === b.cpuMilli && a.sharesMilli === b.sharesMilli;

function positive(text: string | undefined): Quantity | undefined {
  const quantity = tryParseQuantity(text);
  return quantity !== undefined && quantity.nano > 0n ? quantity : undefined;
}
