/** Which Application owns a live object: Argo CD's annotation `app:group/Kind:namespace/name`. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";

const TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id";

export interface TrackingId {
  application: string;
  group: string;
  kind: string;
  namespace: string;
  name: string;
}

/** An Application outside the controller's namespace is named `NAMESPACE_NAME`, as Argo CD does. */
export function applicationInstance(
  application: { namespace: string; name: string },
  controllerNamespace: string,
): string {
  return application.namespace === controllerNamespace
    ? application.name
    : `${application.namespace}_${application.name}`;
}

export function trackingId(instance: string, object: KubeObject, destinationNamespace: string): string {
  const { group } = parseApiVersion(object.apiVersion);
  // Cluster-scoped objects carry the destination's namespace, as upstream writes them.
  return `${instance}:${group}/${object.kind}:${object.metadata.namespace ?? destinationNamespace}/${object.metadata.name ?? ""}`;
}

function parseTrackingId(text: string | undefined): TrackingId | undefined {
  const match = /^([^:]+):([^/:]*)\/([^:/]+):([^/]*)\/(.+)$/.exec(text ?? "");
  if (match === null) return undefined;
  const [, application = "", group = "", kind = "", namespace = "", name = ""] = match;
  return { application, group, kind, namespace, name };
}

export const withTracking = (object: KubeObject, id: string): KubeObject => ({
  ...object,
  metadata: {
    ...object.metadata,
    annotations: { ...object.metadata.annotations, [TRACKING_ANNOTATION]: id },
  },
});

/**
 * The instance that owns a live object. An id that names another object (a copy made by some controller
 * of a tracked object) does not count.
 */
export function ownerInstance(object: KubeObject): string | undefined {
  const id = parseTrackingId(object.metadata.annotations?.[TRACKING_ANNOTATION]);
  if (id === undefined) return undefined;
  const { group } = parseApiVersion(object.apiVersion);
  const sameNamespace = object.metadata.namespace === undefined || object.metadata.namespace === id.namespace;
  const self = id.group === group && id.kind === object.kind && id.name === object.metadata.name && sameNamespace;
  return self ? id.application : undefined;
}
