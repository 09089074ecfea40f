/** `kubectl apply` without server-side apply left its configuration in an annotation; ownership is taken over from it. */
import type { KubeObject } from "../api/object.ts";
import { difference } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { isObject } from "./json-value.ts";
import type { StructNode } from "./node.ts";
import { goJson } from "./path-element.ts";
import { compareTyped } from "./typed-compare.ts";
import { fieldsOf } from "./typed-merge.ts";
import { typedFaults } from "./typed-validate.ts";

export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Annotations of an object may take this much in all. */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/** The fields of the last applied configuration that the live object still has as they were applied. */
export function adoptableFields(node: StructNode, apiVersion: string, live: KubeObject): FieldSet | undefined {
  const config = lastApplied(live);
  if (config === undefined || config["apiVersion"] !== apiVersion || typedFaults(node, config) !== undefined)
    return undefined;
  const { added, modified, removed } = compareTyped(node, config, live);
  return difference(difference(difference(fieldsOf(node, config), modified), added), removed);
}

function lastApplied(live: KubeObject): Record<string, unknown> | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined || text === "") return undefined;
  try {
    const config: unknown = JSON.parse(text);
    return isObject(config) ? config : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the annotation up to date where it is, so that client-side apply can be gone back to. */
export function refreshLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const annotations = object.metadata.annotations;
  if (annotations === undefined || (annotations[LAST_APPLIED] ?? "") === "") return object;
  const text = `${goJson(sortKeys(withoutAnnotation(applied)))}\n`;
  const { [LAST_APPLIED]: _, ...others } = annotations;
  const refreshed =
    size({ ...others, [LAST_APPLIED]: text }) > MAX_ANNOTATIONS_BYTES ? others : { ...others, [LAST_APPLIED]: text };
  return { ...object, metadata: { ...object.metadata, annotations: refreshed } };
}

const size = (annotations: Readonly<Record<string, string>>): number =>
  Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);

function withoutAnnotation(applied: KubeObject): KubeObject {
  const annotations = applied.metadata.annotations;
  if (annotations === undefined || !(LAST_APPLIED in annotations)) return applied;
  const { [LAST_APPLIED]: _, ...others } = annotations;
  const { annotations: _all, ...metadata } = applied.metadata;
  return { ...applied, metadata: Object.keys(others).length === 0 ? metadata : { ...metadata, annotations: others } };
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortKeys(value[key])]),
  );
}
