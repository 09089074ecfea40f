import type { KubeObject } from "@travelops/kube";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { objectsOf, withSpec, writes } from "./plugin.ts";

/** The class marked as default by an annotation; of several the youngest, then the first by name. */
function defaultOf(view: ClusterView, table: string, annotation: string): string | undefined {
  const marked = objectsOf(view, table).filter(({ metadata }) => metadata.annotations?.[annotation] === "true");
  const age = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? "") || 0;
  return marked.toSorted((a, b) => age(b) - age(a) || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1))[0]
    ?.metadata.name;
}

/** A claim that names no storage class gets the default one. */
export const defaultStorageClass: AdmissionPlugin = {
  name: "DefaultStorageClass",
  mutate(object, attributes, view) {
    if (!writes(attributes, "", "persistentvolumeclaims") || attributes.operation !== "CREATE") return object;
    const named = (object["spec"] as { storageClassName?: string } | undefined)?.storageClassName;
    // An empty name is a choice: no class at all.
    if (named !== undefined || object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined)
      return object;
    const name = defaultOf(view, "storageclasses.storage.k8s.io", "storageclass.kubernetes.io/is-default-class");
    return name === undefined ? object : withSpec(object, { storageClassName: name });
  },
};

/** An Ingress that names no class gets the default one. */
export const defaultIngressClass: AdmissionPlugin = {
  name: "DefaultIngressClass",
  mutate(object, attributes, view) {
    if (!writes(attributes, "networking.k8s.io", "ingresses") || attributes.operation !== "CREATE") return object;
    const named = (object["spec"] as { ingressClassName?: string } | undefined)?.ingressClassName;
    if (named !== undefined || object.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined)
      return object;
    const name = defaultOf(view, "ingressclasses.networking.k8s.io", "ingressclass.kubernetes.io/is-default-class");
    return name === undefined ? object : withSpec(object, { ingressClassName: name });
  },
};
