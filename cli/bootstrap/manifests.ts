/** The components' own manifests (`components/NAME/manifests/*.yaml`), applied in the order they stand in. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parseAllDocuments } from "yaml";
import type { KubeClient, KubeObject } from "@travelops/kube";
import { discover } from "@travelops/kube/client/discovery";
import { parseApiVersion } from "@travelops/kube";
import { ROOT } from "../tools.ts";

export const FIELD_MANAGER = "travelops";

export async function componentManifests(component: string): Promise<KubeObject[]> {
  const dir = path.join(ROOT, "components", component, "manifests");
  const files = (await readdir(dir)).filter((file) => /\.ya?ml$/.test(file)).toSorted();
  const texts = await Promise.all(files.map((file) => readFile(path.join(dir, file), "utf8")));
  return texts.flatMap(parseManifests);
}

function parseManifests(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object): object is KubeObject => object !== null);
}

/** Server-side apply of each, in order; a kind that a CRD before it makes is waited for by asking discovery anew. */
export async function applyManifests(
  client: KubeClient,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const discovery = discover(client.transport);
  for (const object of objects) {
    const { group, version } = parseApiVersion(object.apiVersion);
    const resource = await discovery.resourceFor({ group, version, kind: object.kind });
    if (resource === undefined) throw new Error(`the cluster serves no ${object.kind} of ${object.apiVersion}`);
    await client.apply(resource, object, { fieldManager: FIELD_MANAGER, force: true, signal });
  }
}
