import type { KubeObject } from "@travelops/kube";

/**
 * What remains in the history of an object whose values must not outlive it: enough for a watcher's selectors.
 * Annotations go too, since kubectl's last-applied-configuration repeats the values.
 */
export function redact(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: dropUndefined({ name, namespace, uid, resourceVersion, generation, creationTimestamp, labels }),
    ...(object["type"] === undefined ? {} : { type: object["type"] }),
  };
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}
