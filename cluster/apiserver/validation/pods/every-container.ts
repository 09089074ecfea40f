/** All containers of a pod, of whichever kind. */
import { type Fields, items, list } from "../fields.ts";

const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"] as const;

/** All containers of a pod with their paths, in the order upstream visits them. */
export function everyContainer(spec: Fields, path: string): (readonly [container: Fields, path: string])[] {
  return CONTAINERS.flatMap((key) =>
    items(spec, key).map((container, i) => [container, `${path}.${key}[${i}]`] as const),
  );
}

/** Whether any container of a pod is so; cheaper than a list of all. */
export const someContainer = (spec: Fields, is: (container: Fields) => boolean): boolean =>
  CONTAINERS.some((key) => list(spec, key).some((container) => is((container ?? {}) as Fields)));
