/** What one metric of an autoscaler says: how many replicas, and what its status shows. Pure. */
import {
  formatQuantity,
  type HpaMetric,
  type HpaMetricStatus,
  type MetricTarget,
  parseQuantity,
  type Pod,
  type PodMetrics,
  quantityMilli,
} from "@travelops/kube";
import { podRequests, podValues, type MeasuredResource } from "./pod-values.ts";
import { type Count, type CountInput, replicaCount, type Target } from "./replica-count.ts";

export interface MetricInput extends Pick<CountInput, "pods" | "current" | "tolerance" | "now"> {
  readonly metric: HpaMetric;
  /** Undefined with the reason why there are none. */
  readonly metrics: readonly PodMetrics[] | { readonly failure: string };
}

export interface MetricResult {
  readonly replicas: number;
  /** As events name it. */
  readonly name: string;
  readonly status: HpaMetricStatus;
}

/** A metric that says nothing: with the reason of the condition. */
export class MetricError extends Error {
  readonly reason: string;
  /** What it is called in the summary of all metrics. */
  readonly summary: string;

  constructor(reason: string, message: string, summary: string) {
    super(message);
    this.reason = reason;
    this.summary = summary;
  }
}

interface Source {
  readonly measured: MeasuredResource;
  readonly target: MetricTarget;
  readonly what: string;
  readonly reason: string;
}

function sourceOf({ type, resource, containerResource }: HpaMetric): Source {
  if (type === "Resource" && resource !== undefined) {
    const reason = "FailedGetResourceMetric";
    return { measured: { name: resource.name }, target: resource.target, what: `${resource.name} resource`, reason };
  }
  if (type === "ContainerResource" && containerResource !== undefined) {
    const { name, container, target } = containerResource;
    const reason = "FailedGetContainerResourceMetric";
    return { measured: { name, container }, target, what: `${name} container resource`, reason };
  }
  const message = `metrics of type ${type} are not supported by the embedded cluster: use Resource or ContainerResource`;
  throw new MetricError(type === "" ? "InvalidMetricSourceType" : `FailedGet${type}Metric`, message, message);
}

function valuesOf(metrics: MetricInput["metrics"], measured: MeasuredResource): ReturnType<typeof podValues> {
  const failed = `unable to get metrics for resource ${measured.name}: `;
  if ("failure" in metrics)
    throw new Error(`${failed}unable to fetch metrics from resource metrics API: ${metrics.failure}`);
  if (metrics.length === 0) throw new Error(`${failed}no metrics returned from resource metrics API`);
  return podValues(metrics, measured);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function targetOf(target: MetricTarget, pods: readonly Pod[], measured: MeasuredResource): Target {
  if (target.averageValue !== undefined) {
    return { kind: "value", milli: Number(quantityMilli(parseQuantity(target.averageValue))) };
  }
  return { kind: "utilization", percent: target.averageUtilization ?? 80, requests: () => podRequests(pods, measured) };
}

function statusOf(metric: HpaMetric, name: string, { utilization, averageMilli }: Count): HpaMetricStatus {
  const current = {
    ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    averageValue: formatQuantity({
      nano: BigInt(averageMilli) * 1_000_000n,
      format: name === "memory" ? "BinarySI" : "DecimalSI",
    }),
  };
  if (metric.containerResource !== undefined) {
    const { name, container } = metric.containerResource;
    return { type: metric.type, containerResource: { name, container, current } };
  }
  return { type: metric.type, resource: { name: metric.resource?.name ?? "", current } };
}

/** Throws `MetricError`. */
export function evaluateMetric(input: MetricInput): MetricResult {
  const { metric, metrics, pods } = input;
  const { measured, target, what, reason } = sourceOf(metric);
  const isUtilization = target.averageValue === undefined;
  try {
    const values = valuesOf(metrics, measured);
    const isCpu = measured.name === "cpu";
    const count = replicaCount({ ...input, values, isCpu, target: targetOf(target, pods, measured) });
    const name = isUtilization ? `${what} utilization (percentage of request)` : `${measured.name} resource`;
    return { replicas: count.replicas, name, status: statusOf(metric, measured.name, count) };
  } catch (error) {
    const message = `failed to get ${measured.name} ${isUtilization ? "utilization" : "usage"}: ${messageOf(error)}`;
    const kind = measured.container === undefined ? "resource" : "container";
    throw new MetricError(reason, message, `failed to get ${measured.name} ${kind} metric value: ${message}`);
  }
}

export interface Proposal {
  readonly replicas: number;
  readonly name: string;
  readonly statuses: readonly HpaMetricStatus[];
}

export type Evaluation =
  | { readonly ok: true; readonly proposal: Proposal; readonly failures: readonly MetricError[] }
  | {
      readonly ok: false;
      readonly failures: readonly MetricError[];
      readonly message: string;
      readonly statuses: readonly HpaMetricStatus[];
    };

/** The metric that asks for most decides; while one says nothing, there is no going down. */
export function evaluateMetrics(all: readonly HpaMetric[], input: Omit<MetricInput, "metric">): Evaluation {
  const failures: MetricError[] = [];
  const statuses: HpaMetricStatus[] = [];
  let most: MetricResult | undefined;
  for (const metric of all) {
    try {
      const result = evaluateMetric({ ...input, metric });
      statuses.push(result.status);
      if (most === undefined || result.replicas > most.replicas) most = result;
    } catch (error) {
      if (!(error instanceof MetricError)) throw error;
      failures.push(error);
      statuses.push({ type: "" });
    }
  }
  if (most === undefined || (failures.length > 0 && most.replicas < input.current)) {
    const first = failures[0]?.summary ?? "the autoscaler has no metrics";
    const message = `invalid metrics (${failures.length} invalid out of ${all.length}), first error is: ${first}`;
    return { ok: false, failures, message, statuses };
  }
  return { ok: true, proposal: { replicas: most.replicas, name: most.name, statuses }, failures };
}
