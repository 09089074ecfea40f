/** Which resource a kind is served as: from the table of built-in kinds, or else from the CRDs in the store. */
import { builtinRows } from "@travelops/kube/schema/table";
import { child, text } from "../validation/fields.ts";
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
