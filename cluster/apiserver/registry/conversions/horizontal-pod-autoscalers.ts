/** autoscaling/v1 of a HorizontalPodAutoscaler: one CPU target; all else rides in annotations, as upstream has it. */
import type { KubeObject } from "@travelops/kube";
import { array, read, record } from "../printers/printer.ts";

const METRICS = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior";

const isCpu = (metric: unknown, part: "target" | "current"): boolean =>
  read(metric, "type") === "Resource" &&
  read(metric, "resource", "name") === "cpu" &&
  typeof read(metric, "resource", part, "averageUtilization") === "number";

const parse = (text: string | undefined): unknown => {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

function withAnnotations(object: KubeObject, add: Readonly<Record<string, unknown>>): KubeObject["metadata"] {
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  for (const [key, value] of Object.entries(add)) if (value !== undefined) annotations[key] = JSON.stringify(value);
  const metadata = { ...object.metadata };
  if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
  return metadata;
}

export function hpaFromV2(object: KubeObject): KubeObject {
  const { metrics, behavior, ...spec } = record(object["spec"]);
  const { currentMetrics, conditions, ...status } = record(object["status"]);
  const cpu = array(metrics).find((metric) => isCpu(metric, "target"));
  const others = array(metrics).filter((metric) => metric !== cpu);
  const current = array(currentMetrics).find((metric) => isCpu(metric, "current"));
  const target = read(cpu, "resource", "target", "averageUtilization");
  const utilization = read(current, "resource", "current", "averageUtilization");
  return {
    ...object,
    apiVersion: "autoscaling/v1",
    metadata: withAnnotations(object, {
      [METRICS]: others.length > 0 ? others : undefined,
      [CURRENT]: array(currentMetrics).length > 0 ? currentMetrics : undefined,
      [CONDITIONS]: array(conditions).length > 0 ? conditions : undefined,
      [BEHAVIOR]: behavior,
    }),
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: {
      currentReplicas: 0,
      desiredReplicas: 0,
      ...status,
      ...(utilization === undefined ? {} : { currentCPUUtilizationPercentage: utilization }),
    },
  };
}

export function hpaToV2(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = record(object["spec"]);
  const { currentCPUUtilizationPercentage: _utilization, ...status } = record(object["status"]);
  const { annotations: given, ...metadata } = object.metadata;
  const annotations: Record<string, string> = { ...given };
  const carried = (key: string): unknown => {
    const value = parse(annotations[key]);
    delete annotations[key];
    return value;
  };
  const others = array(carried(METRICS));
  const currentMetrics = carried(CURRENT);
  const conditions = carried(CONDITIONS);
  const behavior = carried(BEHAVIOR);
  const cpu =
    target === undefined
      ? []
      : [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: target } } }];
  const metrics = [...others, ...cpu];
  return {
    ...object,
    apiVersion: "autoscaling/v2",
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...spec, ...(metrics.length > 0 ? { metrics } : {}), ...(behavior === undefined ? {} : { behavior }) },
    status: {
      ...status,
      ...(currentMetrics === undefined ? {} : { currentMetrics }),
      ...(conditions === undefined ? {} : { conditions }),
    },
  };
}
