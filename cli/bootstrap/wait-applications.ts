/** Waits, by watch, until every Application is synced and healthy. */
import type { KubeClient, KubeObject } from "@travelops/kube";
import {
  APPLICATIONS,
  applicationRow,
  isAwaitingRefresh,
  isDone,
  type ApplicationRow,
} from "../status/applications.ts";

/** Names of the Applications that an app of apps declares. */
function declared(root: KubeObject | undefined): string[] {
  const resources =
    (root?.["status"] as { resources?: { kind?: string; name?: string }[] } | undefined)?.resources ?? [];
  return resources.filter((each) => each.kind === "Application").map((each) => each.name ?? "");
}

function applicationsDone(objects: ReadonlyMap<string, KubeObject>, rootName: string): boolean {
  const root = objects.get(rootName);
  if (root === undefined || !isDone(applicationRow("hub", root))) return false;
  if (declared(root).some((name) => !objects.has(name))) return false;
  return [...objects.values()].every((object) => !isAwaitingRefresh(object) && isDone(applicationRow("hub", object)));
}

export function summarize(objects: Iterable<KubeObject>): string {
  const rows: ApplicationRow[] = [...objects].map((object) => applicationRow("hub", object));
  const open = rows.filter((row) => !isDone(row));
  if (rows.length === 0) return "no application yet";
  if (open.length === 0) return `${rows.length} healthy`;
  return `${rows.length - open.length} of ${rows.length} healthy, waiting for ${open.map(stateOf).join(", ")}`;
}

/** `travel-agency (Progressing)`, with the fault where there is one. */
function stateOf({ name, sync, health, message }: ApplicationRow): string {
  const state = sync === "Synced" ? health : health === "Unknown" && sync === "Unknown" ? "not compared yet" : sync;
  return `${name} (${message === "" ? state : message.slice(0, 300)})`;
}

export async function waitForApplications(
  client: KubeClient,
  rootName: string,
  update: (detail: string) => void,
  signal: AbortSignal,
): Promise<Map<string, KubeObject>> {
  const objects = new Map<string, KubeObject>();
  while (!signal.aborted) {
    objects.clear();
    const ended = new AbortController();
    const watch = client.watch(APPLICATIONS, {
      sendInitialEvents: true,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    for await (const frame of watch) {
      if (frame.type === "ERROR") break;
      const object = frame.object as KubeObject;
      const name = object.metadata.name ?? "";
      if (frame.type === "DELETED") objects.delete(name);
      else if (frame.type !== "BOOKMARK") objects.set(name, object);
      update(summarize(objects.values()));
      if (applicationsDone(objects, rootName)) {
        ended.abort();
        return objects;
      }
    }
  }
  return objects;
}
