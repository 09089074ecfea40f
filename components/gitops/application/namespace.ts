/** CreateNamespace=true: the destination's namespace, with the metadata that the policy declares. */
import { isAlreadyExists, isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { NAMESPACES } from "@travelops/kube/client/resources";
import { FIELD_MANAGER } from "../sync/execute.ts";
import type { Application } from "./types.ts";

/** The namespace as it is now; undefined where the Application names none. */
export async function ensureNamespace(
  client: KubeClient,
  application: Application,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const name = application.spec.destination.namespace;
  if (name === undefined || name === "") return undefined;
  const managed = application.spec.syncPolicy?.managedNamespaceMetadata;
  const object: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name, ...managed } };
  if (managed !== undefined) {
    return client.apply(NAMESPACES, object, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
    });
  }
  try {
    return await client.get(NAMESPACES, "", name, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return client.create(NAMESPACES, object, { fieldManager: FIELD_MANAGER, signal }).catch((created: unknown) => {
      if (!isAlreadyExists(created)) throw created;
      return client.get(NAMESPACES, "", name, { signal });
    });
  }
}

const LOOK_AGAIN_MS = 250;
/** One that takes longer to go is taken for stuck: the sync says so, and is tried again as any that fails. */
const PATIENCE_MS = 60_000;

/**
 * Milliseconds until a namespace that is being deleted is looked at again: nothing can be made in it, and as soon as it
 * is gone all can. Undefined where there is nothing to wait for.
 */
export function namespaceWait(namespace: KubeObject | undefined, now: number): number | undefined {
  const since = namespace?.metadata.deletionTimestamp;
  return since !== undefined && now - Date.parse(since) < PATIENCE_MS ? LOOK_AGAIN_MS : undefined;
}
