/** A creation in which webhooks have a say: the steps of `create-object.ts`, and theirs between them. */
import { alreadyExists, type KubeObject } from "@travelops/kube";
import { mutatePhase, validateByWebhooks } from "../admission/webhooks/dispatch.ts";
import type { WebhookRound } from "../admission/webhooks/webhook-index.ts";
import { checkNamespace } from "../registry/object-metadata.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { Reservation } from "../registry/strategy.ts";
import type { ServerCore } from "../server-options.ts";
import { commitNew, completeNew, newAttributes, resetNew, type Written } from "./create-object.ts";
import { withReadableOwners } from "./through-webhooks.ts";
import { withMetadata, type WriteContext } from "./write-context.ts";

export interface NewObject {
  /** Decoded and defaulted. */
  readonly sent: KubeObject;
  /** The same as the server has prepared it, with its owners. */
  readonly object: KubeObject;
}

export async function createThroughWebhooks(
  core: ServerCore,
  resource: ServedResource,
  fresh: NewObject,
  context: WriteContext,
  round: WebhookRound,
): Promise<Written> {
  const reservations: Reservation[] = [];
  try {
    const reserved = (reservation: Reservation): void => void reservations.push(reservation);
    const admitted = await admitNewThroughWebhooks(core, resource, fresh, context, round, reserved);
    const { namespace = "", name = "" } = admitted.metadata;
    const key = { table: resource.table, namespace, name };
    const kept = reservations.splice(0);
    return await commitNew(core, key, context, kept, (current) => {
      if (current !== undefined) throw alreadyExists(resource.groupResource, name);
      return chargeNew(core, resource, admitted, context);
    });
  } finally {
    for (const reservation of reservations) reservation.release();
  }
}

/** The last word, once the object is about to be written. */
export function chargeNew(
  core: ServerCore,
  resource: ServedResource,
  admitted: KubeObject,
  context: WriteContext,
): KubeObject {
  const attributes = newAttributes(core, resource, admitted, context);
  // The namespace may have gone while the webhooks took their time.
  core.access.admission.mutate(attributes);
  core.access.admission.charge(attributes);
  return admitted;
}

/** From a prepared object to one that only a quota may still refuse. */
export async function admitNewThroughWebhooks(
  core: ServerCore,
  resource: ServedResource,
  fresh: NewObject,
  context: WriteContext,
  round: WebhookRound,
  reserved: (reservation: Reservation) => void,
): Promise<KubeObject> {
  const { object } = fresh;
  const shown = asSent(fresh);
  const attributes = newAttributes(core, resource, shown, context);
  const mutated = await mutatePhase(core, round.mutating, attributes, context.signal);
  const owned = withReadableOwners(shown, mutated ?? shown, context.warn);
  checkNamespace(resource, owned, object.metadata.namespace ?? "");
  const reset = resetNew(resource, identified(owned, object), context);
  const complete = completeNew(core, resource, reset, context, reserved);
  const checked = newAttributes(core, resource, complete, context);
  core.access.admission.validate(checked);
  await validateByWebhooks(core, round.validating, checked, context.signal);
  return complete;
}

/** Mutating webhooks see what was sent, not what the server will make of it. */
function asSent({ sent, object }: NewObject): KubeObject {
  const { uid: _uid, creationTimestamp: _time, generation: _generation, ...metadata } = object.metadata;
  if ((sent.metadata.name ?? "") === "") delete metadata.name;
  const { status: _status, ...rest } = object;
  const status = sent["status"];
  return { ...rest, ...(status === undefined ? {} : { status }), metadata };
}

/** What the server gives an object, whatever webhooks have made of it. */
function identified(object: KubeObject, { metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, creationTimestamp, generation } = metadata;
  const named = object.metadata.name ?? "";
  return withMetadata(object, {
    ...object.metadata,
    ...(named === "" ? { name } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    uid,
    creationTimestamp,
    ...(generation === undefined ? {} : { generation }),
  } as KubeObject["metadata"]);
}
