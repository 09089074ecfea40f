/** What audit events say of mutating and validating webhooks, under upstream's keys. */
import type { Annotate } from "../../access.ts";
import { goJson } from "../../audit/go-json.ts";
import type { Webhook } from "./webhook.ts";

export interface MutationNotes {
  /** It could not be asked, which its failure policy lets pass. */
  failedOpen(): void;
  patched(patch: unknown): void;
  /** Said of every call, whatever came of it. */
  called(mutated: boolean): void;
}

/** Notes on one call; a round is 1 where webhooks are asked again. */
export function mutationNotes(annotate: Annotate, webhook: Webhook, round: 0 | 1): MutationNotes {
  const { configuration, name, index } = webhook;
  const key = (prefix: string): string => `${prefix}mutation.webhook.admission.k8s.io/round_${round}_index_${index}`;
  return {
    failedOpen: () => annotate(key("failed-open."), name),
    patched: (patch) =>
      annotate(
        `patch.webhook.admission.k8s.io/round_${round}_index_${index}`,
        goJson({ configuration, webhook: name, patch, patchType: "JSONPatch" }),
        "Request",
      ),
    called: (mutated) => annotate(key(""), goJson({ configuration, webhook: name, mutated })),
  };
}

/** `index` is the webhook's among those asked. */
export const failedOpenValidating = (annotate: Annotate, webhook: Webhook, index: number): void =>
  annotate(`failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`, webhook.name);
