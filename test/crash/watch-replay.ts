/** Follows a watch from an old revision, to hold what it tells against what a list shows. */
import type { KubeClient, KubeObject } from "@travelops/kube";
import { isExpired } from "@travelops/kube/api/status-error";
import { CONFIG_MAPS, NAMESPACE, revisionOf } from "./writer.ts";

/** The objects of the namespace at one revision. */
export interface Snapshot {
  readonly revision: number;
  /** Values by name. */
  readonly values: ReadonlyMap<string, string>;
}

export async function snapshotOf(client: KubeClient): Promise<Snapshot> {
  const list = await client.list(CONFIG_MAPS, { namespace: NAMESPACE });
  const values = new Map<string, string>();
  for (const { metadata, data } of list.items)
    if (data !== undefined && "value" in data) values.set(metadata.name ?? "", data.value);
  return { revision: Number(list.metadata.resourceVersion), values };
}

export type Replay =
  | { readonly kind: "state"; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: "gone" }
  | { readonly kind: "wrong"; readonly why: string };

/** Applies the events after `from` up to revision `to`. The last event must lie at `to`: write a sentinel before. */
export async function replay(client: KubeClient, from: Snapshot, to: number): Promise<Replay> {
  const values = new Map(from.values);
  let revision = from.revision;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]);
  try {
    const options = { namespace: NAMESPACE, resourceVersion: String(from.revision), signal };
    for await (const { type, object } of client.watch(CONFIG_MAPS, options)) {
      if (type === "ERROR")
        return (object as { code?: number }).code === 410
          ? { kind: "gone" }
          : { kind: "wrong", why: JSON.stringify(object) };
      const at = revisionOf(object as KubeObject);
      if (type === "BOOKMARK" ? at < revision : at <= revision)
        return { kind: "wrong", why: `${type} at ${at} after ${revision}` };
      revision = at;
      if (type !== "BOOKMARK") apply(values, type, object as KubeObject);
      if (revision >= to) return { kind: "state", values };
    }
  } catch (error) {
    if (isExpired(error)) return { kind: "gone" };
    throw error;
  } finally {
    stop.abort();
  }
  return { kind: "wrong", why: `the watch ended at ${revision}, before ${to}` };
}

function apply(values: Map<string, string>, type: string, object: KubeObject): void {
  const name = object.metadata.name ?? "";
  const data = object["data"] as { value?: string } | undefined;
  if (type === "DELETED") values.delete(name);
  else if (data?.value !== undefined) values.set(name, data.value);
}
