/** ResourceQuotas: how much of each is used. Counted as admission counts. */
import type { KubeObject, Quantity, ResourceQuota } from "@travelops/kube";
import {
  addQuantity,
  formatQuantity,
  keyOf,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  RESOURCE_QUOTAS,
  runController,
  SERVICES,
  sourceOf,
  splitKey,
  WorkQueue,
  ZERO,
} from "@travelops/kube";
import { inScope, usageOf } from "../../apiserver/admission/quota-usage.ts";
import type { ControllerContext } from "../context.ts";
import { isFinished } from "../shared/pods.ts";
import { writeStatus } from "../shared/write.ts";

/** Kinds of which more than their number counts. */
const MEASURED = [PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS] as const;
const isMeasured = (group: string, resource: string): boolean =>
  MEASURED.some((one) => one.group === group && one.resource === resource);

export interface Countable {
  readonly group: string;
  readonly resource: string;
  readonly object: KubeObject;
}

/** What the objects use of what `quota` limits. Pure. */
function usedBy(quota: ResourceQuota, objects: Iterable<Countable>): Record<string, string> {
  const hard = quota.spec?.hard ?? {};
  const used = new Map<string, Quantity>(Object.keys(hard).map((item) => [item, ZERO]));
  for (const { group, resource, object } of objects) {
    if (!inScope(quota.spec ?? {}, group, resource, object)) continue;
    for (const [item, amount] of usageOf(group, resource, object)) {
      const before = used.get(item);
      if (before !== undefined) used.set(item, addQuantity(before, amount));
    }
  }
  return Object.fromEntries([...used].map(([item, amount]) => [item, formatQuantity(amount)]));
}

/** Runs until the signal aborts. */
export async function resourceQuotaController(context: ControllerContext): Promise<void> {
  const { client, informers, monitors, signal, clock, log } = context;
  const quotas = informers.of(RESOURCE_QUOTAS);
  const queue = new WorkQueue({ clock });
  /** Objects of all kinds by namespace, named only: those that are measured come from their informers. */
  const counted = new Map<string, Map<string, Countable>>();
  const inNamespace = (namespace: string): string[] => quotas.list(namespace).map(keyOf);
  const undo = monitors.onObservation((observation) => {
    const { resource, uid, namespace, name } = observation.object;
    if (namespace === "" || isMeasured(resource.group, resource.resource)) return;
    const known = counted.get(namespace);
    if (observation.type === "gone") known?.delete(uid);
    else if (known?.has(uid) === true) return;
    else {
      const object: KubeObject = { apiVersion: "", kind: resource.kind, metadata: { name, namespace, uid } };
      const entry = { group: resource.group, resource: resource.resource, object };
      if (known === undefined) counted.set(namespace, new Map([[uid, entry]]));
      else known.set(uid, entry);
    }
    inNamespace(namespace).forEach((key) => queue.add(key));
  });
  const changed = ({ type, object, old }: { type: string; object: KubeObject; old?: KubeObject }): string[] =>
    type === "updated" && old !== undefined && old["spec"] === object["spec"]
      ? []
      : inNamespace(object.metadata.namespace ?? "");
  await runController({
    name: "resourcequota",
    queue,
    signal,
    clock,
    log,
    sources: [
      sourceOf(quotas, ({ object }) => [keyOf(object)]),
      sourceOf(informers.of(PODS), (event) =>
        event.type === "updated" && isFinished(event.object) === isFinished(event.old)
          ? []
          : inNamespace(event.object.metadata.namespace ?? ""),
      ),
      sourceOf(informers.of(SERVICES), changed),
      sourceOf(informers.of(PERSISTENT_VOLUME_CLAIMS), changed),
      { connect: () => () => {}, synced: () => monitors.synced() },
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const quota = quotas.get(namespace, name);
      if (quota === undefined) return;
      const measured = MEASURED.flatMap((resource): Countable[] => {
        const { group } = resource;
        const objects: KubeObject[] = informers.of<KubeObject>(resource).list(namespace);
        return objects.map((object) => ({ group, resource: resource.resource, object }));
      });
      const used = usedBy(quota, [...measured, ...(counted.get(namespace)?.values() ?? [])]);
      await writeStatus(client, quotas, quota, { hard: quota.spec?.hard ?? {}, used });
    },
  });
  undo();
}
