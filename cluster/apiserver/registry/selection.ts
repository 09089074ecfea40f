/** Which objects of a resource a list or a watch selects. */
import { badRequest, type KubeObject } from "@travelops/kube";
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from "@travelops/kube/client/selectors";
import type { ServedResource } from "./registry.ts";

export interface Selection {
  /** Undefined: every object matches. */
  readonly matches: ((object: KubeObject) => boolean) | undefined;
  /** Only the object of this name can match. */
  readonly name: string | undefined;
  /** Only objects of this namespace can match. */
  readonly namespace: string | undefined;
  /** Equal for equal filters. */
  readonly key: string;
}

export const EVERYTHING: Selection = { matches: undefined, name: undefined, namespace: undefined, key: "" };

const metadataFields: Readonly<Record<string, (object: KubeObject) => string>> = {
  "metadata.name": (object) => object.metadata.name ?? "",
  "metadata.namespace": (object) => object.metadata.namespace ?? "",
};

function unsupported(resource: ServedResource, field: string): never {
  throw badRequest(
    resource.origin === "builtin" && resource.strategy.selectableFields === undefined
      ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${field}`,
  );
}

/** Throws `StatusError` 400 for a selector that cannot be read or a field that cannot be selected by. */
export function selectionOf(resource: ServedResource, labelSelector: string, fieldSelector: string): Selection {
  if (labelSelector === "" && fieldSelector === "") return EVERYTHING;
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  const getters = new Map<string, (object: KubeObject) => string>();
  let name: string | undefined;
  let namespace: string | undefined;
  for (const { field, operator, value } of fields) {
    const own = resource.strategy.selectableFields;
    const getter = Object.hasOwn(metadataFields, field)
      ? metadataFields[field]
      : own !== undefined && Object.hasOwn(own, field)
        ? own[field]
        : undefined;
    if (getter === undefined) return unsupported(resource, field);
    getters.set(field, getter);
    if (field === "metadata.name" && operator === "=") name = value;
    if (field === "metadata.namespace" && operator === "=") namespace = value;
  }
  const rest = fields.filter(
    ({ field, operator }) => operator !== "=" || (field !== "metadata.name" && field !== "metadata.namespace"),
  );
  const repeated = fields.length !== new Set(fields.map(({ field }) => field)).size;
  const checked = repeated ? fields : rest;
  const matches =
    labels.length === 0 && checked.length === 0
      ? undefined
      : (object: KubeObject): boolean =>
          matchesLabels(labels, object.metadata.labels) &&
          matchesFields(checked, (field) => getters.get(field)?.(object) ?? "");
  return { matches, name, namespace, key: `${labelSelector}\u0000${fieldSelector}` };
}
