import { expect, test } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { withMatchLabelKeys } from "./match-label-keys.ts";

const podWith = (spec: Record<string, unknown>): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", labels: { app: "a", version: "two" } },
  spec,
});

const term = {
  topologyKey: "zone",
  labelSelector: { matchLabels: { app: "a" } },
  matchLabelKeys: ["version", "absent"],
};
const spelled = {
  ...term,
  labelSelector: { matchLabels: { app: "a" }, matchExpressions: [{ key: "version", operator: "In", values: ["two"] }] },
};

test("keys that the pod has become expressions of the selector, once", () => {
  const pod = podWith({
    topologySpreadConstraints: [term],
    affinity: {
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
      podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] },
    },
  });
  const done = withMatchLabelKeys(pod);
  expect(done["spec"]).toEqual({
    topologySpreadConstraints: [spelled],
    affinity: {
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [spelled] },
      podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: spelled }] },
    },
  });
  expect(withMatchLabelKeys(done)).toEqual(done);
});

test("mismatching keys exclude the pod's own value; without a selector there is nothing to add to", () => {
  const { labelSelector: _, ...bare } = term;
  const apart = { topologyKey: "zone", labelSelector: {}, mismatchLabelKeys: ["version"] };
  const pod = podWith({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [bare, apart] } },
  });
  expect(withMatchLabelKeys(pod)["spec"]).toEqual({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          bare,
          { ...apart, labelSelector: { matchExpressions: [{ key: "version", operator: "NotIn", values: ["two"] }] } },
        ],
      },
    },
  });
});
