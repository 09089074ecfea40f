/** Which resource a kind is served as: from the table of built-in kinds, or else from the CRDs in the store. */
import { builtinRows } from "@travelops/kube/schema/table";
import { child, items, text } from "../validation/fields.ts";
import { type ClusterView, objectsOf } from "./plugin.ts";

export interface KindRow {
  readonly resource: string;
  readonly namespaced: boolean;
}

/** Undefined where the kind is not served. */
export type ResourceOfKind = (group: string, kind: string) => KindRow | undefined;

const CRDS = "customresourcedefinitions.apiextensions.k8s.io";

export function resourceOfKind(view: Pick<ClusterView, "list">): ResourceOfKind {
  let builtin: ReadonlyMap<string, KindRow> | undefined;
  return (group, kind) => {
    builtin ??= new Map(builtinRows().map((row) => [`${row.kind}.${row.group}`, row]));
    const found = builtin.get(`${kind}.${group}`);
    if (found !== undefined) return found;
    for (const crd of objectsOf(view, CRDS)) {
      const spec = child(crd, "spec");
      const names = child(spec, "names");
      if (text(spec, "group") === group && text(names, "kind") === kind)
        return { resource: text(names, "plural"), namespaced: text(spec, "scope") === "Namespaced" };
    }
    return undefined;
  };
}

/** A version under which objects of a resource are served. */
export interface ServedVersion {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** All versions of a resource that are served. */
export type VersionsOf = (group: string, resource: string) => readonly ServedVersion[];

/** One kind of object under two groups. */
const COHABITING: Readonly<Record<string, readonly string[]>> = { events: ["", "events.k8s.io"] };

export const versionsOf =
  (view: Pick<ClusterView, "list">): VersionsOf =>
  (group, resource) => {
    const groups = COHABITING[resource]?.includes(group) === true ? COHABITING[resource] : [group];
    const builtin = builtinRows().filter((row) => row.resource === resource && groups?.includes(row.group));
    if (builtin.length > 0) return builtin;
    const crd = objectsOf(view, CRDS).find(({ metadata }) => metadata.name === `${resource}.${group}`);
    return items(child(crd, "spec"), "versions")
      .filter((version) => version["served"] === true)
      .map((version) => ({ group, version: text(version, "name"), resource }));
  };
