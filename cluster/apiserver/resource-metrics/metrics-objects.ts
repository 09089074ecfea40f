/** NodeMetrics and PodMetrics, as `kubectl top` and autoscalers read them. Pure. */
import { formatTime, type KubeObject } from "@travelops/kube";
import type { PodUsage } from "../api-server.ts";

export const METRICS_GROUP = "metrics.k8s.io";
const API_VERSION = `${METRICS_GROUP}/v1beta1`;

interface Used {
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
}

const quantities = ({ cpuNanoCores, memoryBytes }: Used): { cpu: string; memory: string } => ({
  cpu: cpuNanoCores === 0 ? "0" : `${cpuNanoCores}n`,
  memory: `${Math.ceil(memoryBytes / 1024)}Ki`,
});

/** When it was measured, and over how long. */
function measured(containers: PodUsage["containers"], now: number): { timestamp: string; window: string } {
  const at = containers.length === 0 ? now : Math.max(...containers.map((one) => one.at));
  const window = Math.max(0, ...containers.map((one) => one.windowMs));
  return { timestamp: formatTime(at), window: `${(window / 1000).toFixed(3).replace(/\.?0+$/, "")}s` };
}

const head = (kind: string, source: KubeObject, now: number): KubeObject => ({
  kind,
  apiVersion: API_VERSION,
  metadata: {
    name: source.metadata.name,
    ...(source.metadata.namespace === undefined ? {} : { namespace: source.metadata.namespace }),
    creationTimestamp: formatTime(now),
    ...(source.metadata.labels === undefined ? {} : { labels: source.metadata.labels }),
  },
});

export function podMetrics(pod: KubeObject, usage: PodUsage, now: number): KubeObject {
  const containers = usage.containers.map((one) => ({ name: one.name, usage: quantities(one) }));
  return { ...head("PodMetrics", pod, now), ...measured(usage.containers, now), containers };
}

/** A node uses what its pods use: the rest of the machine is not the cluster's. */
export function nodeMetrics(node: KubeObject, pods: readonly PodUsage[], now: number): KubeObject {
  const containers = pods.filter((pod) => pod.node === node.metadata.name).flatMap((pod) => pod.containers);
  const sum = (of: (one: Used) => number): number => containers.reduce((total, one) => total + of(one), 0);
  const usage = quantities({
    cpuNanoCores: sum((one) => one.cpuNanoCores),
    memoryBytes: sum((one) => one.memoryBytes),
  });
  return { ...head("NodeMetrics", node, now), ...measured(containers, now), usage };
}
