/** Formats that a CRD's schema asks for and nobody checks. */
import { formatCheck } from "@travelops/kube/schema/formats";
import { isObject, own } from "@travelops/kube/schema/json-value";
import { schemasWithin } from "@travelops/kube/schema/schemas-within";
import type { KubeObject } from "@travelops/kube";
import { child, items } from "../../validation/fields.ts";

function collect(schema: unknown, found: Set<string>): void {
  if (!isObject(schema)) return;
  const format = own(schema, "format");
  if (
    typeof format === "string" &&
    format !== "" &&
    own(schema, "type") === "string" &&
    formatCheck(format) === undefined
  )
    found.add(format);
  for (const [, within] of schemasWithin(schema)) collect(within, found);
}

/** Those of all its versions. */
export function unknownFormats(crd: KubeObject | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  for (const version of items(child(crd, "spec"), "versions"))
    collect(child(version, "schema")?.["openAPIV3Schema"], found);
  return found;
}

/** What a write of it warns of: formats that nobody checks, and nobody asked for before. */
export function formatWarnings(crd: KubeObject, old?: KubeObject): string[] {
  const before = unknownFormats(old);
  return [...unknownFormats(crd)]
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}
