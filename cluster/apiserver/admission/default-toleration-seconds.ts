import type { AdmissionPlugin } from "./plugin.ts";
import { withSpec, writes } from "./plugin.ts";
import { podSpec } from "./pod-shape.ts";

const SECONDS = 300;
const KEYS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/** A pod stays on a node that is lost for five minutes, unless it says otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  mutate(object, attributes) {
    if (!writes(attributes, "", "pods")) return object;
    const tolerations = podSpec(object).tolerations ?? [];
    const missing = KEYS.filter(
      (key) =>
        !tolerations.some(
          (one) =>
            (one.key === key || (one.key ?? "") === "") && (one.effect === "NoExecute" || (one.effect ?? "") === ""),
        ),
    );
    if (missing.length === 0) return object;
    return withSpec(object, {
      tolerations: [
        ...tolerations,
        ...missing.map((key) => ({
          key,
          operator: "Exists",
          effect: "NoExecute",
          tolerationSeconds: SECONDS,
        })),
      ],
    });
  },
};
