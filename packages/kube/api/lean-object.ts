/** Objects without what few readers ask for: who owns which field is half of a small object. */
import type { KubeObject } from "./object.ts";

/** Who shares an object shares its lean form, too. */
const made = new WeakMap<KubeObject, KubeObject>();

/** The object without `metadata.managedFields`; always the same one for the same object. */
export function leanObject<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const known = made.get(object);
  // It was made of this very object, and so has its type.
  if (known !== undefined) return known as T;
  const { managedFields: _, ...metadata } = object.metadata;
  const lean = { ...object, metadata };
  made.set(object, lean);
  return lean;
}
