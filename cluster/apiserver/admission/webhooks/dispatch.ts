/** Runs the two rounds of webhooks: the mutating ones one after the other, the validating ones at once. */
import { forbidden, internalError, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { AdmissionAttributes } from "../../access.ts";
import type { ServerCore } from "../../server-options.ts";
import { failedOpenValidating, mutationNotes } from "./audit-notes.ts";
import { callWebhook } from "./call-webhook.ts";
import { admissionTarget, matchWebhook, shownIn, type AdmissionTarget } from "./match-webhook.ts";
import { patchedObject } from "./patched-object.ts";
import { Reinvocation } from "./reinvocation.ts";
import type { ReviewSubject } from "./review.ts";
import type { Webhook } from "./webhook.ts";

/** What the webhook is to be asked; undefined: nothing. Throws `StatusError` where that cannot be told. */
async function subjectFor(
  core: ServerCore,
  webhook: Webhook,
  attributes: AdmissionAttributes,
  target: AdmissionTarget,
): Promise<ReviewSubject | undefined> {
  const matched = matchWebhook(core, webhook, attributes, target);
  if (matched === undefined) return undefined;
  const subject: ReviewSubject = {
    attributes,
    requested: target.requested,
    matched,
    namespace: target.namespace,
    object: await shownIn(core, matched, attributes.object),
    oldObject: await shownIn(core, matched, attributes.oldObject),
  };
  if (webhook.matchConditions.length === 0) return subject;
  const { conditionsHold } = await import("./match-conditions.ts");
  const held = conditionsHold(core, webhook, subject);
  if (typeof held === "string") throw forbidden(attributes, attributes.name, held);
  return held ? subject : undefined;
}

/** The whole mutating phase: built-in plug-ins, webhooks, and both again where webhooks have changed something. */
export async function mutatePhase(
  core: ServerCore,
  webhooks: readonly Webhook[],
  attributes: AdmissionAttributes,
  signal: AbortSignal | undefined,
): Promise<KubeObject | undefined> {
  const reinvocation = new Reinvocation();
  const first = core.access.admission.mutate(attributes);
  const after = await runMutating(core, webhooks, { ...attributes, object: first }, reinvocation, false, signal);
  if (!reinvocation.needed) return after;
  const second = core.access.admission.mutate({ ...attributes, object: after });
  if (!equalJson(second, after)) reinvocation.objectChanged();
  return runMutating(core, webhooks, { ...attributes, object: second }, reinvocation, true, signal);
}

async function runMutating(
  core: ServerCore,
  webhooks: readonly Webhook[],
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation,
  again: boolean,
  signal: AbortSignal | undefined,
): Promise<KubeObject | undefined> {
  const target = admissionTarget(core, attributes);
  let object = attributes.object;
  for (const webhook of webhooks) {
    if (again && !reinvocation.mayAskAgain(webhook)) continue;
    const subject = await subjectFor(core, webhook, { ...attributes, object }, target);
    if (subject === undefined) continue;
    const next = await mutatedBy(core, webhook, subject, object, again ? 1 : 0, signal);
    reinvocation.called(webhook, next !== object);
    object = next;
  }
  return object;
}

/** What a webhook makes of an object: the same one where it changes nothing. */
async function mutatedBy(
  core: ServerCore,
  webhook: Webhook,
  subject: ReviewSubject,
  object: KubeObject | undefined,
  round: 0 | 1,
  signal: AbortSignal | undefined,
): Promise<KubeObject | undefined> {
  const { annotate } = subject.attributes;
  const notes = annotate === undefined ? undefined : mutationNotes(annotate, webhook, round);
  let changed = false;
  try {
    const answer = await callWebhook(core, webhook, subject, signal);
    if (answer === undefined) notes?.failedOpen();
    const next = answer === undefined ? object : await patchedBy(core, webhook, subject, answer.patch, object);
    if (next !== object) notes?.patched(answer?.patch);
    changed = !equalJson(next, object);
    return changed ? next : object;
  } finally {
    notes?.called(changed);
  }
}

async function patchedBy(
  core: ServerCore,
  webhook: Webhook,
  subject: ReviewSubject,
  patch: unknown,
  object: KubeObject | undefined,
): Promise<KubeObject | undefined> {
  if (patch === undefined || (Array.isArray(patch) && patch.length === 0)) return object;
  if (subject.object === undefined || object === undefined) {
    throw internalError(
      `admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  return patchedObject(core, subject.matched, subject.object, patch, object.apiVersion);
}

/** Asks all validating webhooks at once. Throws the first refusal, in the order in which they come in. */
export async function validateByWebhooks(
  core: ServerCore,
  webhooks: readonly Webhook[],
  attributes: AdmissionAttributes,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = admissionTarget(core, attributes);
  const subjects = await Promise.all(webhooks.map((webhook) => subjectFor(core, webhook, attributes, target)));
  const { annotate } = attributes;
  let asked = -1;
  let refusal: { readonly error: unknown } | undefined;
  await Promise.all(
    webhooks.map(async (webhook, i) => {
      const subject = subjects[i];
      if (subject === undefined) return;
      const index = ++asked;
      try {
        const answer = await callWebhook(core, webhook, subject, signal);
        if (answer === undefined && annotate !== undefined) failedOpenValidating(annotate, webhook, index);
      } catch (error) {
        refusal ??= { error };
      }
    }),
  );
  if (refusal !== undefined) throw refusal.error;
}
