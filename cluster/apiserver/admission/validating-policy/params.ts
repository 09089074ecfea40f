/** The objects that a binding's `paramRef` names, for a request in a namespace. */
import { parseApiVersion } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { selects } from "@travelops/kube/client/selectors";
import { type ClusterView, lookUp, objectsOf } from "../plugin.ts";
import type { ResourceOfKind } from "../resource-of-kind.ts";
import type { ParamKind, ParamRef } from "./policy.ts";

/** A binding cannot be used as it is; the failure policy says what comes of it. */
export class ConfigurationFault extends Error {}

/** One evaluation is made for each; undefined stands for none. Throws `ConfigurationFault`. */
export function paramsOf(
  kind: ParamKind | undefined,
  ref: ParamRef | undefined,
  namespace: string,
  view: ClusterView,
  resourceOfKind: ResourceOfKind,
): readonly (KubeObject | undefined)[] {
  if (kind === undefined || ref === undefined) return [undefined];
  const { group, version } = parseApiVersion(kind.apiVersion);
  const row = resourceOfKind(group, kind.kind);
  if (row === undefined)
    throw new ConfigurationFault(
      `failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind.kind}'`,
    );
  const within = row.namespaced ? placeOf(ref, namespace) : "";
  if (!row.namespaced && (ref.namespace ?? "") !== "")
    throw new ConfigurationFault("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  const found = select(ref, view, `${row.resource}.${group}`, within);
  if (found.length === 0 && ref.parameterNotFoundAction === "Deny")
    throw new ConfigurationFault("no params found for policy binding with `Deny` parameterNotFoundAction");
  return found;
}

function placeOf(ref: ParamRef, namespace: string): string {
  if ((ref.namespace ?? "") !== "") return ref.namespace ?? "";
  if (namespace === "")
    throw new ConfigurationFault(
      "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
    );
  return namespace;
}

function select(ref: ParamRef, view: ClusterView, table: string, namespace: string): readonly KubeObject[] {
  if ((ref.name ?? "") !== "") {
    const one = lookUp(view, table, namespace, ref.name ?? "");
    return one === undefined ? [] : [one];
  }
  const selector = ref.selector ?? {};
  return objectsOf(view, table, namespace).filter((object) => selects(selector, object.metadata.labels ?? {}));
}
