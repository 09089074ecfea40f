/** Ends namespaces: everything in them is deleted, kind by kind, and then they are let go. */
import type { DiscoveredResource, KubeClient, KubeList, Namespace } from "@travelops/kube";
import { isNotFound, NAMESPACES, resourcePath, runController, sourceOf, StatusError, WorkQueue } from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { messageOf } from "../shared/pod-control.ts";
import { writeStatus } from "../shared/write.ts";
import { namespaceConditions, type Remaining } from "./conditions.ts";

const FINALIZER = "kubernetes";
const WORKERS = 5;
const AT_ONCE = 8;
const METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

const isEnding = (namespace: Namespace | undefined): namespace is Namespace =>
  namespace?.metadata.deletionTimestamp !== undefined && (namespace.spec?.finalizers ?? []).includes(FINALIZER);

/** Runs the controller until the signal aborts. */
export async function namespaceController(context: ControllerContext): Promise<void> {
  const { client, informers, monitors, signal, clock, log } = context;
  const namespaces = informers.of(NAMESPACES);
  const queue = new WorkQueue({ clock });
  // Woken by whatever goes, so that nothing is asked again in between.
  const wake = (name: string): void => {
    if (name !== "" && isEnding(namespaces.get("", name))) queue.add(name);
  };
  const undo = [
    monitors.onObservation(({ type, object }) => {
      if (type === "gone") wake(object.namespace);
    }),
    monitors.onKinds(() => namespaces.list().forEach((namespace) => wake(namespace.metadata.name ?? ""))),
  ];
  await runController({
    name: "namespace",
    workers: WORKERS,
    queue,
    signal,
    clock,
    log,
    sources: [
      sourceOf(namespaces, ({ type, object }) => (type === "deleted" ? [] : [object.metadata.name ?? ""])),
      { connect: () => () => {}, synced: () => monitors.synced() },
    ],
    async reconcile(name) {
      const namespace = namespaces.get("", name);
      if (!isEnding(namespace)) return;
      const remaining = await clear(client, context, name);
      const done =
        remaining.resources.size === 0 &&
        remaining.deletionErrors.length === 0 &&
        remaining.discoveryError === undefined;
      const conditions = namespaceConditions(namespace.status?.conditions, remaining, clock.now());
      const written = await writeStatus(client, namespaces, namespace, {
        ...namespace.status,
        phase: "Terminating",
        conditions,
      });
      if (done) await finalize(client, written);
      else if (remaining.deletionErrors.length > 0) throw new Error(remaining.deletionErrors.join("; "));
    },
  });
  for (const stop of undo) stop();
}

async function finalize(client: KubeClient, namespace: Namespace): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== FINALIZER);
  try {
    await client.update(
      NAMESPACES,
      { ...namespace, spec: { ...namespace.spec, finalizers } },
      { subresource: "finalize" },
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function clear(
  client: KubeClient,
  { monitors, signal }: ControllerContext,
  namespace: string,
): Promise<Remaining> {
  const resources = new Map<string, number>();
  const finalizers = new Map<string, number>();
  const deletionErrors: string[] = [];
  let kinds: DiscoveredResource[];
  try {
    kinds = (await monitors.discovery.all()).filter(isContent);
  } catch (error) {
    return { resources, finalizers, deletionErrors, discoveryError: messageOf(error) };
  }
  const next = kinds.values();
  const worker = async (): Promise<void> => {
    for (const resource of next) {
      if (signal.aborted) return;
      try {
        const left = await clearKind(client, resource, namespace);
        if (left.length > 0) resources.set(`${resource.resource}.${resource.group}`, left.length);
        for (const finalizer of left.flat()) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
      } catch (error) {
        // A kind that has just gone took its objects along.
        if (!isNotFound(error)) deletionErrors.push(`${resource.resource}.${resource.group}: ${messageOf(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { resources, finalizers, deletionErrors };
}

const isContent = ({ namespaced, verbs }: DiscoveredResource): boolean =>
  namespaced && verbs.includes("list") && verbs.includes("delete");

/** Deletes all of a kind; the finalizers of each object that is still there. */
async function clearKind(client: KubeClient, resource: DiscoveredResource, namespace: string): Promise<string[][]> {
  const path = resourcePath(resource, namespace);
  const listed = await list(client, path);
  if (listed.length === 0) return [];
  const body = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };
  const waiting = listed.filter((item) => item.metadata.deletionTimestamp === undefined);
  if (waiting.length > 0) {
    if (resource.verbs.includes("deletecollection")) await client.transport.call({ method: "DELETE", path, body });
    else for (const item of waiting) await deleteOne(client, resource, namespace, item.metadata.name ?? "");
  }
  return (await list(client, path)).map((item) => item.metadata.finalizers ?? []);
}

async function deleteOne(
  client: KubeClient,
  resource: DiscoveredResource,
  namespace: string,
  name: string,
): Promise<void> {
  try {
    await client.delete(resource, namespace, name, { propagationPolicy: "Background" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function list(client: KubeClient, path: string): Promise<KubeList["items"]> {
  try {
    const { body } = await client.transport.call({ method: "GET", path, headers: { accept: METADATA_LIST } });
    return (body as { items?: KubeList["items"] | null }).items ?? [];
  } catch (error) {
    if (error instanceof StatusError && error.code === 405) return [];
    throw error;
  }
}
