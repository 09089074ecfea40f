/** From a child's event to the keys of the owners it concerns. */
import type { Informer, InformerEvent, KubeObject, LabelSelector } from "@travelops/kube";
import { controllerOf, keyOf, selects } from "@travelops/kube";

/**
 * The child's controller, also the one it had before; for an orphan every owner whose selector matches, since one
 * may adopt it.
 */
export function ownerKeys<O extends KubeObject>(
  owners: Informer<O>,
  selectorOf: (owner: O) => LabelSelector | undefined,
): (event: InformerEvent<KubeObject>) => string[] {
  const { kind, group } = owners.resource;
  const controllerKey = (child: KubeObject): string[] => {
    const reference = controllerOf(child);
    if (reference === undefined || reference.kind !== kind || groupOf(reference.apiVersion) !== group) return [];
    const owner = owners.get(child.metadata.namespace ?? "", reference.name);
    return owner?.metadata.uid === reference.uid ? [keyOf(owner)] : [];
  };
  return (event) => {
    const keys = new Set(controllerKey(event.object));
    if (event.old !== undefined) for (const key of controllerKey(event.old)) keys.add(key);
    if (event.type !== "deleted" && controllerOf(event.object) === undefined) {
      for (const owner of owners.list(event.object.metadata.namespace ?? "")) {
        if (selects(selectorOf(owner), event.object.metadata.labels)) keys.add(keyOf(owner));
      }
    }
    return [...keys];
  };
}

const groupOf = (apiVersion: string): string => {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
};
