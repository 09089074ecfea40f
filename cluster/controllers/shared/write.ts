/** Writes of controllers: only what differs, and the answer goes into the informer at once. */
import type { Informer, KubeClient, KubeObject, Resource } from "@travelops/kube";
import { isNotFound, mergePatchBetween } from "@travelops/kube";

/**
 * Brings the status to `status` with one patch, if it differs. It names the resourceVersion it was computed from,
 * so that a pass on old news fails instead of turning the status back.
 */
export async function writeStatus<T extends KubeObject>(
  client: KubeClient,
  informer: Informer<T>,
  object: T,
  status: unknown,
): Promise<T> {
  const change = mergePatchBetween(object["status"] ?? {}, status);
  if (change === undefined) return object;
  return patched(client, informer, object, { status: change }, "status");
}

/** One merge patch, guarded by the resourceVersion of `object`. */
export async function patched<T extends KubeObject>(
  client: KubeClient,
  informer: Informer<T>,
  object: T,
  patch: { metadata?: Record<string, unknown>; [field: string]: unknown },
  subresource?: string,
): Promise<T> {
  const { namespace = "", name = "", resourceVersion } = object.metadata;
  const body = { ...patch, metadata: { ...patch.metadata, resourceVersion } };
  const written = await client.patch(informer.resource, namespace, name, "application/merge-patch+json", body, {
    subresource,
  });
  informer.note(written);
  return written;
}

export async function created<T extends KubeObject>(client: KubeClient, informer: Informer<T>, object: T): Promise<T> {
  const made = await client.create(informer.resource, object);
  informer.note(made);
  return made;
}

/** Deletes this very object (by uid); that it is gone already is as good. */
export async function deleteExactly(
  client: KubeClient,
  resource: Resource,
  object: KubeObject,
  options: { propagationPolicy?: "Foreground" | "Background" | "Orphan"; gracePeriodSeconds?: number } = {},
): Promise<void> {
  const { namespace = "", name = "", uid } = object.metadata;
  try {
    await client.delete(resource, namespace, name, { ...options, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
