/** What the pods of some nodes use, container by container. */
import type { PodUsage } from "../../apiserver/api-server.ts";
import type { Kubelet } from "../kubelet.ts";
import { allRecords } from "../pod/pod-record.ts";
import type { SamplePair } from "./usage-sampler.ts";
import { usageRate } from "./usage-rate.ts";

/** Pods of which a container runs; simulated ones use nothing. */
export function podUsage(kubelets: readonly Kubelet[], { before, after }: SamplePair): PodUsage[] {
  const found: PodUsage[] = [];
  for (const kubelet of kubelets) {
    for (const { pod, record } of kubelet.pods()) {
      const containers = allRecords(record).flatMap(({ name, state }) => {
        if (state.kind !== "running") return [];
        if (state.handle === undefined) return [];
        const sample = after.get(state.handle.id);
        if (sample === undefined) return [];
        return [{ name, ...usageRate(before.get(sample.key), sample, state.startedAt) }];
      });
      if (containers.length === 0) continue;
      const { namespace = "", name = "" } = pod.metadata;
      found.push({ node: kubelet.node, namespace, name, containers });
    }
  }
  return found;
}
