/** Identity of a resource across versions: group, kind, namespace, name. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";

export interface ResourceKey {
  group: string;
  kind: string;
  namespace: string;
  name: string;
}

export const keyText = (key: ResourceKey): string => `${key.group}/${key.kind}/${key.namespace}/${key.name}`;

export const keyOf = (object: KubeObject): ResourceKey => ({
  group: parseApiVersion(object.apiVersion).group,
  kind: object.kind,
  namespace: object.metadata.namespace ?? "",
  name: object.metadata.name ?? "",
});

export const keyTextOf = (object: KubeObject): string => keyText(keyOf(object));

/** For people: `Deployment travel-agency/cars-v1`. */
export const describeKey = (key: ResourceKey): string =>
  `${key.kind} ${key.namespace === "" ? "" : `${key.namespace}/`}${key.name}`;
