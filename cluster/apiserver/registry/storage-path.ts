/** Where upstream keeps an object, as its refusals name it. */
import type { ServedResource } from "./registry.ts";

/** Those that do not stand under the name of their resource. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "services.": "services/specs",
  "endpoints.": "services/endpoints",
  "nodes.": "minions",
  "ingresses.networking.k8s.io": "ingress",
  "replicationcontrollers.": "controllers",
};
/** These, and all custom resources, have a folder for their group. */
const OWN_FOLDER: ReadonlySet<string> = new Set(["apiextensions.k8s.io", "apiregistration.k8s.io"]);

export function storagePath(
  { table, row, origin }: ServedResource,
  key: { readonly namespace: string; readonly name: string },
): string {
  const grouped = origin === "custom" || OWN_FOLDER.has(row.group);
  const folder = ELSEWHERE[table] ?? (grouped ? `${row.group}/${row.resource}` : row.resource);
  return ["/registry", folder, ...(key.namespace === "" ? [] : [key.namespace]), key.name].join("/");
}
