/**
 * A change in which webhooks have a say: the steps of `update-object.ts`, and theirs between them. It is made of the
 * object as it was when they were asked, and written only if it is still so.
 */
import { conflict, MODIFIED, type KubeObject } from "@travelops/kube";
import { mutatePhase, validateByWebhooks } from "../admission/webhooks/dispatch.ts";
import type { WebhookRound } from "../admission/webhooks/webhook-index.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { Reservation } from "../registry/strategy.ts";
import type { ServerCore } from "../server-options.ts";
import { admitNew, type Written } from "./create-object.ts";
import { admitNewThroughWebhooks, chargeNew } from "./create-through-webhooks.ts";
import { mustStillBe, untilFresh, withReadableOwners } from "./through-webhooks.ts";
import {
  beginInstead,
  beginUpdate,
  checkVersion,
  commitUpdate,
  completeUpdate,
  mutateUpdate,
  outcomeOf,
  reshaped,
  updateAttributes,
  type UpdateRequest,
  type UpdateRounds,
} from "./update-object.ts";
import { prepareUpdate } from "./prepare-update.ts";
import type { WriteContext } from "./write-context.ts";

export function updateThroughWebhooks(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
  rounds: UpdateRounds,
): Promise<Written> {
  return untilFresh(
    () => attempt(core, resource, request, context, rounds),
    () => conflict(resource.groupResource, request.name, MODIFIED),
  );
}

async function attempt(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
  rounds: UpdateRounds,
): Promise<Written> {
  const reservations: Reservation[] = [];
  const reserved = (reservation: Reservation): void => void reservations.push(reservation);
  try {
    const shown = core.store.get({ table: resource.table, namespace: request.namespace, name: request.name });
    const admitted =
      shown === undefined
        ? await admitInstead(core, resource, request, context, rounds.create, reserved)
        : await admitUpdate(core, resource, request, shown.object, context, rounds.update, reserved);
    const kept = reservations.splice(0);
    return await commitUpdate(core, resource, request, context, kept, (stored) => {
      mustStillBe(shown, stored);
      if (stored === undefined) return { next: chargeNew(core, resource, admitted, context) };
      core.access.admission.charge(updateAttributes(core, resource, admitted, stored.object, request, context));
      return outcomeOf(admitted, stored.object);
    });
  } finally {
    for (const reservation of reservations) reservation.release();
  }
}

async function admitInstead(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
  round: WebhookRound | undefined,
  reserved: (reservation: Reservation) => void,
): Promise<KubeObject> {
  const begun = beginInstead(core, resource, request, context);
  return round === undefined
    ? admitNew(core, resource, begun, context, reserved)
    : admitNewThroughWebhooks(core, resource, { sent: begun, object: begun }, context, round, reserved);
}

const NO_ROUND: WebhookRound = { mutating: [], validating: [] };

async function admitUpdate(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  current: KubeObject,
  context: WriteContext,
  { mutating, validating }: WebhookRound = NO_ROUND,
  reserved: (reservation: Reservation) => void,
): Promise<KubeObject> {
  const wanted = request.produce(current);
  const begun = beginUpdate(resource, wanted, current, request, context);
  const mutated =
    mutating.length === 0
      ? mutateUpdate(core, resource, begun, current, request, context)
      : await mutateThroughWebhooks(core, resource, begun, current, request, context, mutating);
  checkVersion(resource, wanted, current, request);
  const complete = completeUpdate(core, resource, mutated, current, request, context, reserved);
  const attributes = updateAttributes(core, resource, complete, current, request, context);
  core.access.admission.validate(attributes);
  await validateByWebhooks(core, validating, attributes, context.signal);
  return complete;
}

async function mutateThroughWebhooks(
  core: ServerCore,
  resource: ServedResource,
  begun: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
  mutating: WebhookRound["mutating"],
): Promise<KubeObject> {
  const attributes = updateAttributes(core, resource, begun, current, request, context);
  const changed = await mutatePhase(core, mutating, attributes, context.signal);
  const mutated = reshaped(request, changed, attributes.object, begun);
  if (mutated === begun) return begun;
  // A webhook changes no more through an endpoint than its sender may.
  return prepareUpdate(resource, withReadableOwners(begun, mutated, context.warn), current, request, context);
}
