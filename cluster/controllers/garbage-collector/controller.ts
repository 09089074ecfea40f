/**
 * Deletes what has lost its owners, over all kinds. An owner that is deleted in the foreground waits for those that
 * block it; one that orphans lets its dependents go first. Whether an owner is gone is asked of the server, by uid.
 */
import type { KubeClient, KubeObject, OwnerReference } from "@travelops/kube";
import { isNotFound, parseApiVersion, runController, WorkQueue } from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { type Observed, observe, type ObjectMonitors } from "../object-monitors.ts";
import { deleteExactly } from "../shared/write.ts";
import { awaitsDependents, FOREGROUND, ORPHAN, orphansDependents, OwnerGraph } from "./graph.ts";

const WORKERS = 10;
/** A kind that is not served is asked for again this rarely at the most; a new CRD wakes all at once. */
const LONGEST_BACKOFF_MS = 60_000;

/** Runs the controller until the signal aborts. */
export async function garbageCollector(context: ControllerContext): Promise<void> {
  const { monitors, signal, clock, log } = context;
  const queue = new WorkQueue({ clock, longestBackoffMs: LONGEST_BACKOFF_MS });
  const graph = new OwnerGraph();
  const collector = new Collector(context.client, monitors, graph);
  const undo = monitors.onObservation((observation) => {
    const { check, orphan } = graph.apply(observation);
    for (const uid of check) queue.add(uid);
    for (const uid of orphan) queue.add(uid);
  });
  const undoKinds = monitors.onKinds(() => collector.unresolved().forEach((uid) => queue.add(uid)));
  await runController({
    name: "garbage-collector",
    workers: WORKERS,
    queue,
    signal,
    clock,
    log,
    // Nobody is taken for an orphan before all owners had their chance to be seen.
    sources: [{ connect: () => () => {}, synced: () => monitors.synced() }],
    reconcile: (uid) => collector.reconcile(uid),
  });
  undo();
  undoKinds();
}

type OwnerState = "solid" | "absent" | "waiting";

class Collector {
  readonly #client: KubeClient;
  readonly #monitors: ObjectMonitors;
  readonly #graph: OwnerGraph;
  /** Objects with an owner of a kind that is not served. */
  readonly #unresolved = new Set<string>();

  constructor(client: KubeClient, monitors: ObjectMonitors, graph: OwnerGraph) {
    this.#client = client;
    this.#monitors = monitors;
    this.#graph = graph;
  }

  unresolved(): string[] {
    return [...this.#unresolved];
  }

  async reconcile(uid: string): Promise<void> {
    this.#unresolved.delete(uid);
    const object = this.#graph.get(uid);
    if (object === undefined) return;
    if (orphansDependents(object)) return this.#orphan(object);
    if (object.deleting && !awaitsDependents(object)) return;
    // The decision is made on the live object: its owners may just have changed.
    const live = await this.#live(object);
    if (live === undefined) return;
    if (awaitsDependents(live)) return this.#finishForeground(live);
    if (live.deleting || live.owners.length === 0) return;
    await this.#judge(live);
  }

  async #live(object: Observed): Promise<Observed | undefined> {
    try {
      const found = await this.#client.get(object.resource, object.namespace, object.name);
      return found.metadata.uid === object.uid ? observe(object.resource, found) : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #judge(object: Observed): Promise<void> {
    const states = await Promise.all(object.owners.map((owner) => this.#stateOf(owner, object)));
    const solid = states.includes("solid");
    const waiting = states.includes("waiting");
    if (solid) {
      const left = object.owners.filter((_, i) => states[i] === "solid");
      if (left.length < object.owners.length) await this.#setOwners(object, left);
      return;
    }
    if (waiting && this.#graph.dependentsOf(object.uid).length > 0) {
      await this.#breakCircle(object);
      await deleteExactly(this.#client, object.resource, asObject(object), {
        propagationPolicy: "Foreground",
      });
      return;
    }
    await deleteExactly(this.#client, object.resource, asObject(object), {
      propagationPolicy: policyOf(object),
    });
  }

  async #stateOf(owner: OwnerReference, of: Observed): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid);
    if (known !== undefined && isSame(known, owner, of)) return awaitsDependents(known) ? "waiting" : "solid";
    const gvk = { ...parseApiVersion(owner.apiVersion), kind: owner.kind };
    const resource = await this.#monitors.discovery.resourceFor(gvk);
    if (resource === undefined) {
      this.#unresolved.add(of.uid);
      throw new Error(
        `${of.resource.kind} ${of.name} is owned by a ${owner.kind} of ${owner.apiVersion}, which is not served`,
      );
    }
    // A cluster-scoped object cannot be owned by one of a namespace; such a reference proves nothing.
    if (resource.namespaced && of.namespace === "") return "solid";
    try {
      const live = await this.#client.get(resource, resource.namespaced ? of.namespace : "", owner.name);
      if (live.metadata.uid !== owner.uid) return "absent";
      return awaitsDependents(observe(resource, live)) ? "waiting" : "solid";
    } catch (error) {
      if (isNotFound(error)) return "absent";
      throw error;
    }
  }

  /** An owner that waits for its dependents is let go once none blocks it. */
  async #finishForeground(object: Observed): Promise<void> {
    if (this.#graph.blockersOf(object.uid).length === 0) await this.#dropFinalizer(object, FOREGROUND);
  }

  /** Dependents that themselves wait for theirs, up to this one, would wait for ever. */
  async #breakCircle(object: Observed): Promise<void> {
    if (!this.#graph.dependentsOf(object.uid).some(awaitsDependents)) return;
    await this.#setOwners(
      object,
      object.owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
    );
  }

  async #orphan(object: Observed): Promise<void> {
    for (const dependent of this.#graph.dependentsOf(object.uid)) {
      const live = await this.#live(dependent);
      const left = live?.owners.filter((owner) => owner.uid !== object.uid);
      if (live !== undefined && left !== undefined && left.length < live.owners.length)
        await this.#setOwners(live, left);
    }
    const live = await this.#live(object);
    if (live !== undefined) await this.#dropFinalizer(live, ORPHAN);
  }

  async #dropFinalizer(object: Observed, finalizer: string): Promise<void> {
    if (!object.finalizers.includes(finalizer)) return;
    await this.#patchMetadata(object, { finalizers: object.finalizers.filter((one) => one !== finalizer) });
  }

  async #setOwners(object: Observed, owners: readonly OwnerReference[]): Promise<void> {
    await this.#patchMetadata(object, { ownerReferences: owners.length === 0 ? null : owners });
  }

  /** Guarded by the resourceVersion, so that what was read is what is changed. */
  async #patchMetadata(object: Observed, change: Record<string, unknown>): Promise<void> {
    const { resource, namespace, name, uid, resourceVersion } = object;
    const patch = { metadata: { uid, resourceVersion, ...change } };
    try {
      await this.#client.patch(resource, namespace, name, "application/merge-patch+json", patch);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

const asObject = ({ namespace, name, uid }: Observed): KubeObject => ({
  apiVersion: "",
  kind: "",
  metadata: { namespace, name, uid },
});

function policyOf({ finalizers }: Observed): "Orphan" | "Foreground" | "Background" {
  if (finalizers.includes(ORPHAN)) return "Orphan";
  return finalizers.includes(FOREGROUND) ? "Foreground" : "Background";
}

/** A uid alone does not make an owner: kind, name and namespace must be those of the reference. */
const isSame = (known: Observed, owner: OwnerReference, of: Observed): boolean =>
  known.name === owner.name &&
  known.resource.kind === owner.kind &&
  known.resource.group === parseApiVersion(owner.apiVersion).group &&
  (known.namespace === "" || known.namespace === of.namespace);
