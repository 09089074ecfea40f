/** The cascade of a deleted Application: its resources go wave by wave, the highest first, then its finalizer. */
import { isNotFound, type KubeClient, type KubeObject, type Resource } from "@travelops/kube";
import type { LiveCache } from "../cluster/live-cache.ts";
import { FIELD_MANAGER } from "../sync/execute.ts";
import { isHook } from "../sync/hooks.ts";
import { deleteForbidden } from "../sync/options.ts";
import { waveOf } from "../sync/order.ts";
import { ownerInstance } from "./tracking.ts";
import { APPLICATIONS, type Application } from "./types.ts";

const FINALIZER = "resources-finalizer.argocd.argoproj.io";
/** The watch tells when something is gone; this is for what the watch cannot see. */
const LOOK_AGAIN_MS = 1000;

type Propagation = "Foreground" | "Background";

export interface CascadeDeps {
  client: KubeClient;
  live: LiveCache;
  resourceFor: (object: KubeObject) => Promise<Resource | undefined>;
}

/** undefined: no cascade was asked for. */
function cascadePolicy(application: Application): { finalizer: string; propagation: Propagation } | undefined {
  for (const finalizer of application.metadata.finalizers ?? []) {
    if (finalizer === `${FINALIZER}/background`) return { finalizer, propagation: "Background" };
    if (finalizer === FINALIZER || finalizer === `${FINALIZER}/foreground`) {
      return { finalizer, propagation: "Foreground" };
    }
  }
  return undefined;
}

/** What goes next: the highest wave that still has something. Empty: the cascade is complete. */
function nextToDelete(owned: readonly KubeObject[]): KubeObject[] {
  const candidates = owned.filter((object) => !deleteForbidden(object) && !isHook(object));
  const highest = Math.max(...candidates.map(waveOf));
  return candidates.filter((object) => waveOf(object) === highest);
}

/** One pass of it. */
export async function cascade(
  deps: CascadeDeps,
  application: Application,
  instance: string,
  signal: AbortSignal,
): Promise<{ requeueAfterMs?: number }> {
  const policy = cascadePolicy(application);
  if (policy === undefined) return {};
  await followManaged(deps, application, signal);
  const next = nextToDelete(deps.live.list((object) => ownerInstance(object) === instance));
  for (const object of next) await deleteObject(deps, object, policy.propagation, signal);
  if (next.length > 0) return { requeueAfterMs: LOOK_AGAIN_MS };
  await removeFinalizer(deps.client, application, policy.finalizer, signal);
  return {};
}

/** Kinds that the Application managed, as objects that name nothing but their kind. */
export function managedKinds(application: Application): KubeObject[] {
  return (application.status?.resources ?? []).map(({ group, version, kind }) => ({
    apiVersion: group === undefined || group === "" ? (version ?? "v1") : `${group}/${version ?? "v1"}`,
    kind,
    metadata: {},
  }));
}

async function followManaged(deps: CascadeDeps, application: Application, signal: AbortSignal): Promise<void> {
  for (const object of managedKinds(application)) {
    const resource = await deps.resourceFor(object);
    if (resource !== undefined) await deps.live.follow(resource, signal);
  }
}

async function deleteObject(
  deps: CascadeDeps,
  object: KubeObject,
  propagationPolicy: Propagation,
  signal: AbortSignal,
): Promise<void> {
  const resource = await deps.resourceFor(object);
  if (resource === undefined || object.metadata.deletionTimestamp !== undefined) return;
  const { namespace = "", name = "", uid } = object.metadata;
  const preconditions = uid === undefined ? {} : { preconditions: { uid } };
  try {
    await deps.client.delete(resource, namespace, name, { propagationPolicy, ...preconditions, signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function removeFinalizer(
  client: KubeClient,
  application: Application,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name = "", finalizers, resourceVersion } = application.metadata;
  const rest = finalizers?.filter((each) => each !== finalizer) ?? [];
  const patch = { metadata: { finalizers: rest.length === 0 ? null : rest, resourceVersion } };
  try {
    await client.patch(APPLICATIONS, namespace, name, "application/merge-patch+json", patch, {
      fieldManager: FIELD_MANAGER,
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
