/** Nodes and pods for tests. */
import type { Node, Pod, PodSpec, Taint } from "@travelops/kube";

export function node(
  name: string,
  options: {
    labels?: Record<string, string>;
    taints?: Taint[];
    cpu?: string;
    memory?: string;
    pods?: string;
    unschedulable?: boolean;
  } = {},
): Node {
  const allocatable = {
    cpu: options.cpu ?? "4",
    memory: options.memory ?? "8Gi",
    pods: options.pods ?? "110",
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...options.labels } },
    spec: { taints: options.taints, unschedulable: options.unschedulable },
    status: { allocatable, capacity: allocatable, conditions: [{ type: "Ready", status: "True" }] },
  };
}

let count = 0;

export function pod(
  name: string,
  spec: Partial<PodSpec> & { requests?: Record<string, string> } = {},
  labels: Record<string, string> = {},
): Pod {
  const { requests, ...rest } = spec;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: `uid-${name}-${count++}`, labels },
    spec: {
      containers: [{ name: "main", image: "app", ...(requests === undefined ? {} : { resources: { requests } }) }],
      ...rest,
    },
  };
}
