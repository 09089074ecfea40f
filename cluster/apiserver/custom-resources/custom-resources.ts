/**
 * Serves what CRDs declare, as soon as they are committed: names are accepted, rows enter the registry, and a
 * deleted CRD waits until the last of its objects is gone.
 */
import type { KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { ObjectKey, StoredObject } from "../../store/store.ts";
import { deleteObject, type DeleteOptions } from "../handlers/delete-object.ts";
import type { WriteContext } from "../handlers/write-context.ts";
import { record } from "../registry/printers/printer.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { ownStatus } from "../system/own-status.ts";
import { systemActor } from "../system/system-actor.ts";
import {
  CLEANUP_FINALIZER,
  drainingStatus,
  establishedStatus,
  hasCondition,
  heldNames,
  setCondition,
  type TakenNames,
} from "./crd-conditions.ts";
import { groupOf, namesOf, servedVersions, tableOfCrd } from "./served-custom-resource.ts";

export const CRDS = "customresourcedefinitions.apiextensions.k8s.io";
const AT_ONCE = 200;

interface Served {
  /** What rows are made of: compared, so that a status change makes no new ones. */
  readonly spec: unknown;
  readonly storedVersions: unknown;
  readonly terminating: boolean;
  readonly resources: readonly ServedResource[];
}

export function customResources(core: ServerCore): () => void {
  const controller = new CustomResourceController(core);
  return () => controller.close();
}

class CustomResourceController {
  readonly #core: ServerCore;
  readonly #served = new Map<string, Served>();
  /** Watches on the objects of CRDs that are being deleted. */
  readonly #draining = new Map<string, () => void>();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(core: ServerCore) {
    this.#core = core;
    for (const stored of core.store.list(CRDS).items) this.#reconcile(stored.key.name, stored);
    this.#unsubscribe = core.store.watch(CRDS, core.store.revision, (event) => {
      const { name } = event.object.key;
      if (event.type === "delete") this.#remove(name);
      // After the commit's own turn: what follows writes.
      else queueMicrotask(() => this.#reconcile(name, event.object));
    });
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    for (const stop of this.#draining.values()) stop();
    this.#draining.clear();
  }

  #reconcile(name: string, stored: StoredObject): void {
    // Of what has changed again since, a later event tells.
    if (this.#closed || this.#core.store.get(stored.key)?.revision !== stored.revision) return;
    const crd = stored.object;
    if (hasCondition(crd, "Established")) this.#serve(name, crd);
    this.#accept(stored);
    if (crd.metadata.deletionTimestamp !== undefined) this.#drain(name, stored);
  }

  #serve(name: string, crd: KubeObject): void {
    const before = this.#served.get(name);
    const storedVersions = (crd["status"] as { storedVersions?: unknown } | undefined)?.storedVersions;
    const terminating = crd.metadata.deletionTimestamp !== undefined;
    const same =
      before !== undefined &&
      before.terminating === terminating &&
      equalJson(before.spec, crd["spec"]) &&
      equalJson(before.storedVersions, storedVersions);
    if (same) return;
    const resources = servedVersions(crd);
    const { registry } = this.#core;
    if (before !== undefined) registry.remove({ group: groupOf(crd), resource: namesOf(crd).plural });
    registry.add(resources);
    this.#served.set(name, { spec: crd["spec"], storedVersions, terminating, resources });
  }

  #remove(name: string): void {
    const served = this.#served.get(name);
    this.#draining.get(name)?.();
    this.#draining.delete(name);
    if (served === undefined) return;
    this.#served.delete(name);
    const [first] = served.resources;
    if (first === undefined) return;
    this.#core.registry.remove(first.groupResource);
    this.#core.watches.endTable(first.table);
    // A name it held may be what another CRD of the group waits for.
    for (const stored of this.#ofGroup(first.groupResource.group)) {
      if (!hasCondition(stored.object, "NamesAccepted")) this.#accept(stored);
    }
  }

  /** By their names, which end with the group: a large cluster's definitions are not all read for each new one. */
  #ofGroup(group: string): StoredObject[] {
    const { items } = this.#core.store.list(CRDS);
    return items.filter(({ key }) => key.name.slice(key.name.indexOf(".") + 1) === group);
  }

  #taken(name: string, group: string): TakenNames {
    const resources = new Set<string>();
    const kinds = new Set<string>();
    for (const { row, origin } of this.#core.registry.all()) {
      if (row.group !== group || origin !== "builtin") continue;
      resources.add(row.resource);
      kinds.add(row.kind);
    }
    for (const stored of this.#ofGroup(group)) {
      if (stored.key.name === name) continue;
      const held = heldNames(stored.object);
      for (const resource of held.resources) resources.add(resource);
      for (const kind of held.kinds) kinds.add(kind);
    }
    return { resources, kinds };
  }

  #accept(stored: StoredObject): void {
    const { name } = stored.key;
    const nowMs = this.#core.clock.now();
    const now = formatTime(nowMs);
    const wanted = (crd: KubeObject): Record<string, unknown> =>
      drainingStatus(crd, establishedStatus(crd, this.#taken(name, groupOf(crd)), now), now);
    if (equalJson(wanted(stored.object), stored.object["status"])) return;
    this.#write(stored.key, "update/status", (crd) => {
      const status = wanted(crd);
      return equalJson(status, crd["status"]) ? undefined : ownStatus(crd, { ...crd, status }, nowMs);
    });
  }

  /** Deletes the objects of a CRD, and takes the finalizer away once there are none. */
  #drain(name: string, stored: StoredObject): void {
    if (!(stored.object.metadata.finalizers ?? []).includes(CLEANUP_FINALIZER)) return;
    const table = tableOfCrd(stored.object);
    if (!this.#draining.has(name)) {
      const stop = this.#core.store.watch(table, this.#core.store.revision, (event) => {
        if (event.type === "delete") queueMicrotask(() => this.#release(name, stored.key, table));
      });
      this.#draining.set(name, stop);
      void this.#deleteAll(name, table);
    }
    this.#release(name, stored.key, table);
  }

  #release(name: string, key: ObjectKey, table: string): void {
    if (this.#closed || this.#core.store.count(table) > 0) return;
    this.#draining.get(name)?.();
    this.#write(key, "delete", (crd) => {
      const finalizers = (crd.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
      const status = setCondition(record(crd["status"]), {
        type: "Terminating",
        status: "False",
        reason: "InstanceDeletionCompleted",
        message: "removed all instances",
        lastTransitionTime: formatTime(this.#core.clock.now()),
      });
      return { ...crd, status, metadata: { ...crd.metadata, finalizers } };
    });
  }

  async #deleteAll(name: string, table: string): Promise<void> {
    const resource = this.#served.get(name)?.resources[0];
    const options: DeleteOptions = {
      gracePeriodSeconds: undefined,
      propagation: "Background",
      uid: undefined,
      resourceVersion: undefined,
      dryRun: false,
    };
    const context = systemContext(this.#core);
    try {
      const { items } = this.#core.store.list(table);
      for (let i = 0; i < items.length && !this.#closed; i += AT_ONCE) {
        const some = items.slice(i, i + AT_ONCE);
        await Promise.allSettled(
          some.map((item) =>
            resource === undefined
              ? this.#core.store.write(item.key, context.actor, () => ({ op: "delete" }))
              : deleteObject(this.#core, resource, item.key, options, context),
          ),
        );
      }
    } catch (error) {
      this.#core.log.warn("objects of a deleted CustomResourceDefinition remain", { crd: name, err: error });
    }
  }

  #write(key: ObjectKey, verb: string, change: (crd: KubeObject) => KubeObject | undefined): void {
    this.#core.store
      .write(key, systemActor(verb), (current) => {
        const next = current === undefined ? undefined : change(current.object);
        if (next === undefined) return { op: "none" };
        const released = next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0;
        return released ? { op: "delete", object: next } : { op: "put", object: next };
      })
      .catch((error: unknown) => {
        if (!this.#closed)
          this.#core.log.error("a CustomResourceDefinition's status could not be written", {
            crd: key.name,
            err: error,
          });
      });
  }
}

/** Writes of the server itself, in its own name. */
function systemContext(core: ServerCore): WriteContext {
  const nowMs = core.clock.now();
  return {
    user: { name: "system:apiserver", groups: ["system:masters"] },
    nowMs,
    now: formatTime(nowMs),
    dryRun: false,
    warn: () => {},
    actor: systemActor("delete"),
    manager: "kube-apiserver",
    fieldValidation: "Ignore",
    // Upstream's finalizer empties the storage, past all admission.
    admission: "none",
  };
}
