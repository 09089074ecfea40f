/** apps, batch, autoscaling. */
import type { JsonObject } from "../json-value.ts";
import { all, at, each, given, listLength, type Rule, set, setUnset } from "./combinators.ts";
import { labelsFromTemplate, podTemplate } from "./pods.ts";
import { claimTemplate } from "./volumes.ts";

const template: Rule = at("template", podTemplate);

/** A rolling update and its bounds, unless another type of update is asked for. */
const rolling = (key: string, bounds: JsonObject): Rule =>
  all(
    (spec) => (spec[key] === undefined ? { ...spec, [key]: {} } : spec),
    at(
      key,
      set({ type: "RollingUpdate" }),
      given(
        (strategy) => strategy["type"] === "RollingUpdate",
        setUnset({ rollingUpdate: {} }),
        at("rollingUpdate", setUnset(bounds)),
      ),
    ),
  );

const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

/** Upstream keeps this number in a field of its own, which is an annotation wherever it is shown. */
const templateGeneration: Rule = all(
  setUnset({ metadata: {} }),
  at("metadata", setUnset({ annotations: {} }), at("annotations", setUnset({ [TEMPLATE_GENERATION]: "0" }))),
);

export const apps: Readonly<Record<string, Rule>> = {
  Deployment: at(
    "spec",
    setUnset({ replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }),
    rolling("strategy", { maxUnavailable: "25%", maxSurge: "25%" }),
    template,
  ),
  ReplicaSet: at("spec", setUnset({ replicas: 1 }), template),
  DaemonSet: all(
    templateGeneration,
    at(
      "spec",
      setUnset({ revisionHistoryLimit: 10 }),
      rolling("updateStrategy", { maxUnavailable: 1, maxSurge: 0 }),
      template,
    ),
  ),
  StatefulSet: at(
    "spec",
    setUnset({ replicas: 1, revisionHistoryLimit: 10, persistentVolumeClaimRetentionPolicy: {} }),
    set({ podManagementPolicy: "OrderedReady" }),
    at("persistentVolumeClaimRetentionPolicy", set({ whenDeleted: "Retain", whenScaled: "Retain" })),
    rolling("updateStrategy", { partition: 0 }),
    each("volumeClaimTemplates", claimTemplate),
    template,
  ),
};

const MAX_INT32 = 2 ** 31 - 1;

function jobSpec(spec: JsonObject): JsonObject {
  const once = spec["completions"] === undefined && spec["parallelism"] === undefined;
  return setUnset({
    ...(once ? { completions: 1 } : {}),
    parallelism: 1,
    backoffLimit: spec["backoffLimitPerIndex"] === undefined ? 6 : MAX_INT32,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed",
  })(spec);
}

const failurePolicy: Rule = at("podFailurePolicy", each("rules", each("onPodConditions", set({ status: "True" }))));

export const batch: Readonly<Record<string, Rule>> = {
  Job: all(labelsFromTemplate, at("spec", jobSpec, setUnset({ manualSelector: false }), failurePolicy, template)),
  CronJob: at(
    "spec",
    set({ concurrencyPolicy: "Allow" }),
    setUnset({ suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 }),
    at("jobTemplate", at("spec", failurePolicy, template)),
  ),
};

const PERCENT_100 = { type: "Percent", value: 100, periodSeconds: 15 };

const scaling: Rule = all(
  setUnset({ scaleUp: {}, scaleDown: {} }),
  at(
    "scaleUp",
    setUnset({
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, PERCENT_100],
    }),
  ),
  at("scaleDown", setUnset({ selectPolicy: "Max", policies: [PERCENT_100] })),
);

const CPU_80 = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } };

export const autoscalingV1: Readonly<Record<string, Rule>> = {
  HorizontalPodAutoscaler: at("spec", setUnset({ minReplicas: 1, targetCPUUtilizationPercentage: 80 })),
};

export const autoscalingV2: Readonly<Record<string, Rule>> = {
  HorizontalPodAutoscaler: at(
    "spec",
    setUnset({ minReplicas: 1 }),
    (spec) => (listLength(spec["metrics"]) === 0 ? { ...spec, metrics: [CPU_80] } : spec),
    at("behavior", scaling),
  ),
};
