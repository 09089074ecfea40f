/** How many pods the controllers of pods want: the base of a disruption budget's percentages. */
import type { Informer, KubeObject, OwnerReference, Pod, Resource } from "@travelops/kube";
import {
  controllerOf,
  DEPLOYMENTS,
  isNotFound,
  parseApiVersion,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";

/** Workloads whose wish is known without asking. */
export const SCALED: readonly Resource<ScaledObject>[] = [
  DEPLOYMENTS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
];

export interface ScaledObject extends KubeObject {
  spec: { replicas?: number };
}

export interface ExpectedPods {
  readonly count: number;
  /** Pods without a controller: nobody says how many of them there should be. */
  readonly unmanaged: number;
}

interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

/** Sums up what the controllers of `pods` want; throws what a budget's status then says. */
export class Scales {
  readonly #context: ControllerContext;
  readonly #informers: readonly Informer<ScaledObject>[];

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#informers = SCALED.map((resource) => context.informers.of(resource));
  }

  async expected(pods: readonly Pod[]): Promise<ExpectedPods> {
    const owners = new Map<string, OwnerReference>();
    const scales = new Map<string, number>();
    let unmanaged = 0;
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (owner === undefined) {
        unmanaged++;
        continue;
      }
      if (owners.has(owner.uid)) continue;
      owners.set(owner.uid, owner);
      const scale = await this.#of(owner, pod.metadata.namespace ?? "");
      if (scale === undefined) throw new Error(`found no controllers for pod "${pod.metadata.name}"`);
      scales.set(scale.uid, scale.replicas);
    }
    return { count: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
  }

  /** A ReplicaSet's Deployment decides for it. */
  async #of(owner: OwnerReference, namespace: string): Promise<Scale | undefined> {
    const { group } = parseApiVersion(owner.apiVersion);
    const informer = this.#informers.find(({ resource }) => resource.kind === owner.kind && resource.group === group);
    if (informer === undefined) return this.#ask(owner, namespace);
    const known = informer.get(namespace, owner.name);
    if (known?.metadata.uid !== owner.uid) return undefined;
    const above = controllerOf(known);
    if (owner.kind === "ReplicaSet" && above?.kind === "Deployment") return this.#of(above, namespace);
    return { uid: owner.uid, replicas: known.spec.replicas ?? 1 };
  }

  async #ask(owner: OwnerReference, namespace: string): Promise<Scale | undefined> {
    const { client, monitors } = this.#context;
    const resource = await monitors.discovery.resourceFor({ ...parseApiVersion(owner.apiVersion), kind: owner.kind });
    if (resource === undefined) throw new Error(`no matches for kind "${owner.kind}" in version "${owner.apiVersion}"`);
    if (!resource.subresources.includes("scale")) {
      const name = resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`;
      throw new Error(`${name} does not implement the scale subresource`);
    }
    try {
      const scale = (await client.get(resource, namespace, owner.name, { subresource: "scale" })) as ScaledObject;
      return scale.metadata.uid === owner.uid ? { uid: owner.uid, replicas: scale.spec.replicas ?? 0 } : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
