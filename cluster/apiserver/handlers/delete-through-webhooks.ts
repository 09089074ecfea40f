/** A deletion in which webhooks have a say. */
import { conflict, MODIFIED, notFound } from "@travelops/kube";
import type { ObjectKey } from "../../store/store.ts";
import { mutatePhase, validateByWebhooks } from "../admission/webhooks/dispatch.ts";
import type { WebhookRound } from "../admission/webhooks/webhook-index.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { checkDeletion, commitDelete, deleteAttributes, type Deleted, type DeleteOptions } from "./delete-object.ts";
import { mustStillBe, untilFresh } from "./through-webhooks.ts";
import type { WriteContext } from "./write-context.ts";

export function deleteThroughWebhooks(
  core: ServerCore,
  resource: ServedResource,
  key: ObjectKey,
  options: DeleteOptions,
  context: WriteContext,
  round: WebhookRound,
): Promise<Deleted> {
  return untilFresh(
    async () => {
      const shown = core.store.get(key);
      if (shown === undefined) throw notFound(resource.groupResource, key.name);
      checkDeletion(resource, key, shown.object, options);
      const attributes = deleteAttributes(core, resource, key, shown.object, options, context);
      await mutatePhase(core, round.mutating, attributes, context.signal);
      core.access.admission.validate(attributes);
      await validateByWebhooks(core, round.validating, attributes, context.signal);
      return commitDelete(core, resource, key, options, context, (current) => {
        mustStillBe(shown, current);
        core.access.admission.charge(attributes);
      });
    },
    () => conflict(resource.groupResource, key.name, MODIFIED),
  );
}
