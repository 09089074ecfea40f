/** What of a sent object an endpoint writes, and what the strategy of its resource makes of that. */
import type { KubeObject } from "@travelops/kube";
import { updatedMetadata } from "../registry/object-metadata.ts";
import type { ServedResource } from "../registry/registry.ts";
import { subresourcePart } from "../registry/subresource-parts.ts";
import type { UpdateRequest } from "./update-object.ts";
import { withMetadata, type WriteContext } from "./write-context.ts";

/** A write to `/status` changes status (and what metadata the resource lets it); one to the resource all else. */
function separate(resource: ServedResource, wanted: KubeObject, current: KubeObject, subresource: string): KubeObject {
  const { strategy } = resource;
  if (subresource === "status") {
    const metadata =
      strategy.statusResetsMetadata === true
        ? {
            ...current.metadata,
            ...(wanted.metadata.managedFields === undefined ? {} : { managedFields: wanted.metadata.managedFields }),
          }
        : wanted.metadata;
    const next: KubeObject = { ...current, metadata };
    if (wanted["status"] === undefined) delete next["status"];
    else next["status"] = wanted["status"];
    return next;
  }
  const part = subresource === "" ? undefined : subresourcePart(subresource);
  if (part !== undefined) return part(wanted, current);
  if (subresource !== "" || !strategy.hasStatus) return wanted;
  if (wanted["status"] === current["status"]) return wanted;
  const next: KubeObject = { ...wanted };
  if (current["status"] === undefined) delete next["status"];
  else next["status"] = current["status"];
  return next;
}

/** The object with the parts that this endpoint does not write as they were. */
export function prepareUpdate(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): KubeObject {
  return byStrategy(resource, asSent(resource, wanted, current, request), current, request, context);
}

/** What was sent of the parts that this endpoint writes. */
export function asSent(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
): KubeObject {
  const next = separate(resource, wanted, current, request.subresource);
  return withMetadata(next, updatedMetadata(next.metadata, current.metadata));
}

/** What its strategy makes of it. */
export function byStrategy(
  { strategy }: ServedResource,
  sent: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): KubeObject {
  if (request.subresource === "") return strategy.prepareForUpdate?.(sent, current, context) ?? sent;
  if (request.subresource !== "status" && request.subresource !== "approval") return sent;
  return strategy.prepareForStatusUpdate?.(sent, current, context, request.subresource) ?? sent;
}
