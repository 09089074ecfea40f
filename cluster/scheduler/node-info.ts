/** A node with the pods on it, summed up as the filters ask for it. */
import type { Node, Pod } from "@travelops/kube";
import { allocatableOf, type Amounts, podRequests, weightOf } from "./resources.ts";

export interface HostPort {
  readonly protocol: string;
  readonly ip: string;
  readonly port: number;
}

export class NodeInfo {
  #node: Node;
  #allocatable: Amounts;
  readonly #pods = new Map<string, Pod>();
  readonly #requested = new Map<string, number>();
  readonly #weights = { cpu: 0, memory: 0 };

  constructor(node: Node, pods: Iterable<Pod> = []) {
    this.#node = node;
    this.#allocatable = allocatableOf(node);
    for (const pod of pods) this.add(pod);
  }

  get node(): Node {
    return this.#node;
  }

  set node(node: Node) {
    this.#node = node;
    this.#allocatable = allocatableOf(node);
  }

  get name(): string {
    return this.#node.metadata.name ?? "";
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#node.metadata.labels ?? {};
  }

  get pods(): Iterable<Pod> {
    return this.#pods.values();
  }

  get podCount(): number {
    return this.#pods.size;
  }

  allocatable(resource: string): number {
    return this.#allocatable.get(resource) ?? 0;
  }

  requested(resource: string): number {
    return this.#requested.get(resource) ?? 0;
  }

  weight(resource: "cpu" | "memory"): number {
    return this.#weights[resource];
  }

  has(pod: Pod): boolean {
    return this.#pods.has(pod.metadata.uid ?? "");
  }

  add(pod: Pod): void {
    this.remove(pod);
    this.#pods.set(pod.metadata.uid ?? "", pod);
    this.#count(pod, 1);
  }

  remove(pod: Pod): void {
    const known = this.#pods.get(pod.metadata.uid ?? "");
    if (known === undefined) return;
    this.#pods.delete(pod.metadata.uid ?? "");
    this.#count(known, -1);
  }

  /** A copy to try things on. */
  clone(): NodeInfo {
    return new NodeInfo(this.#node, this.#pods.values());
  }

  #count(pod: Pod, sign: 1 | -1): void {
    for (const [resource, value] of podRequests(pod)) {
      this.#requested.set(resource, (this.#requested.get(resource) ?? 0) + sign * value);
    }
    this.#weights.cpu += sign * weightOf(pod, "cpu");
    this.#weights.memory += sign * weightOf(pod, "memory");
  }
}

const EVERYWHERE = "0.0.0.0";

export function hostPorts(pod: Pod): HostPort[] {
  const containers = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always"),
  ];
  return containers.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        protocol: port.protocol ?? "TCP",
        ip: port.hostIP || EVERYWHERE,
        port: port.hostPort ?? 0,
      })),
  );
}

export const portsClash = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === EVERYWHERE || b.ip === EVERYWHERE);
