/** CreateNamespace=true: the destination's namespace, with the metadata that the policy declares. */
import { isAlreadyExists, isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { NAMESPACES } from "@travelops/kube/client/resources";
import { FIELD_MANAGER } from "../sync/execute.ts";
import type { Application } from "./types.ts";

export async function ensureNamespace(
  client: KubeClient,
  application: Application,
  signal: AbortSignal,
): Promise<void> {
  const name = application.spec.destination.namespace;
  if (name === undefined || name === "") return;
  const managed = application.spec.syncPolicy?.managedNamespaceMetadata;
  const object: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name, ...managed } };
  if (managed !== undefined) {
    await client.apply(NAMESPACES, object, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
    });
    return;
  }
  try {
    await client.get(NAMESPACES, "", name, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(NAMESPACES, object, { fieldManager: FIELD_MANAGER, signal }).catch((created: unknown) => {
      if (!isAlreadyExists(created)) throw created;
    });
  }
}
