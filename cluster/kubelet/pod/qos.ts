/** A pod's quality-of-service class from its requests and limits, as upstream's ComputePodQOS. */
import { compareQuantity, tryParseQuantity } from "@travelops/kube/api/quantity.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";

const NAMES = ["cpu", "memory"];

export function qosClass(pod: Pod): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const { resources } of containers) {
    for (const name of NAMES) {
      const request = positive(resources?.requests?.[name]);
      const limit = positive(resources?.limits?.[name]);
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || (request !== undefined && compareQuantity(request, limit) !== 0)) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

function positive(text: string | undefined) {
  const quantity = tryParseQuantity(text);
  return quantity !== undefined && quantity.nano > 0n ? quantity : undefined;
}
