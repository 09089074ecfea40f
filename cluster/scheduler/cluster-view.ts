/** Nodes and their pods as the scheduler sees them: what the watch says, and what it has decided itself meanwhile. */
import type { Node, Pod } from "@travelops/kube";
import { NodeInfo } from "./node-info.ts";
import { priorityOf } from "./preemption.ts";

const uidOf = (pod: Pod): string => pod.metadata.uid ?? "";
const isOver = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

export class ClusterView {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Pods on nodes that are not known (yet). */
  readonly #places = new Map<string, { pod: Pod; node: string }>();
  /** Decided, but not yet seen to be bound. */
  readonly #assumed = new Map<string, { pod: Pod; node: string }>();
  /** Pods for which others were made to leave, by uid. */
  readonly #nominated = new Map<string, { pod: Pod; node: string }>();

  setNode(node: Node): void {
    const name = node.metadata.name ?? "";
    const known = this.#nodes.get(name);
    if (known !== undefined) {
      known.node = node;
      return;
    }
    const pods = [...this.#places.values(), ...this.#assumed.values()].filter((place) => place.node === name);
    this.#nodes.set(
      name,
      new NodeInfo(
        node,
        pods.map(({ pod }) => pod),
      ),
    );
  }

  removeNode(name: string): void {
    this.#nodes.delete(name);
  }

  /** A pod with a node. */
  setPod(pod: Pod): void {
    const node = pod.spec.nodeName ?? "";
    this.forget(pod);
    this.#nominated.delete(uidOf(pod));
    if (isOver(pod)) {
      this.removePod(pod);
      return;
    }
    this.#places.set(uidOf(pod), { pod, node });
    this.#nodes.get(node)?.add(pod);
  }

  removePod(pod: Pod): void {
    this.forget(pod);
    this.#nominated.delete(uidOf(pod));
    const place = this.#places.get(uidOf(pod));
    if (place === undefined) return;
    this.#places.delete(uidOf(pod));
    this.#nodes.get(place.node)?.remove(pod);
  }

  /** The pod counts as on `node` from now on. */
  assume(pod: Pod, node: string): void {
    this.#assumed.set(uidOf(pod), { pod, node });
    this.#nodes.get(node)?.add(pod);
  }

  /** Takes back what was assumed; what the watch says stays. */
  forget(pod: Pod): void {
    const assumed = this.#assumed.get(uidOf(pod));
    if (assumed === undefined) return;
    this.#assumed.delete(uidOf(pod));
    this.#nodes.get(assumed.node)?.remove(pod);
  }

  isPlaced(pod: Pod): boolean {
    return this.#assumed.has(uidOf(pod)) || this.#places.has(uidOf(pod));
  }

  nominate(pod: Pod, node: string): void {
    this.#nominated.set(uidOf(pod), { pod, node });
  }

  nominatedNode(pod: Pod): string | undefined {
    return this.#nominated.get(uidOf(pod))?.node ?? pod.status?.nominatedNodeName;
  }

  /** All nodes as they look to `pod`: room made for others as important is not free. */
  nodesFor(pod: Pod): NodeInfo[] {
    const reserved = [...this.#nominated.values()].filter(
      (one) => uidOf(one.pod) !== uidOf(pod) && priorityOf(one.pod) >= priorityOf(pod),
    );
    return [...this.#nodes.values()].map((info) => {
      const here = reserved.filter((one) => one.node === info.name && !info.has(one.pod));
      if (here.length === 0) return info;
      const crowded = info.clone();
      for (const { pod: other } of here) crowded.add(other);
      return crowded;
    });
  }
}
