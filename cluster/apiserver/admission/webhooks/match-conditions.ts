import type { ServerCore } from "../../server-options.ts";
import type { ReviewSubject } from "./review.ts";
import type { Webhook } from "./webhook.ts";

export function conditionsHold(core: ServerCore, webhook: Webhook, subject: ReviewSubject): boolean | string {
  return `${webhook.name} ${core.ready} ${subject.namespace}`;
}
