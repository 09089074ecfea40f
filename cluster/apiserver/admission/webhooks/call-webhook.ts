/** Asks one webhook, and turns whatever it does into an answer, a refusal, or a fault in upstream's words. */
import { badRequest, internalError, StatusError, timeoutError } from "@travelops/kube";
import type { ServerCore } from "../../server-options.ts";
import { type WebhookTarget, webhookTarget } from "../../webhook-client/webhook-target.ts";
import {
  admissionReview,
  checkKind,
  InvalidAnswer,
  readAnswer,
  reviewVersion,
  type ReviewAnswer,
  type ReviewSubject,
} from "./review.ts";
import type { Webhook } from "./webhook.ts";

/** The webhook could not be asked, or did not answer what can be understood: its failure policy decides. */
export class WebhookFailed extends Error {}

const failed = (webhook: Webhook, why: string, options?: ErrorOptions): WebhookFailed =>
  new WebhookFailed(`failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`, options);

/** A refusal in the webhook's name, from the status it gave. */
export function denied(name: string, status: ReviewAnswer["status"] = {}): StatusError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const said = (key: string): string => (typeof status[key] === "string" ? status[key] : "");
  const given = status["code"];
  // No more than HTTP knows, lest the answer cannot be sent.
  const code = typeof given === "number" && Number.isInteger(given) && given >= 400 && given < 600 ? given : 400;
  const why = said("message") === "" ? said("reason") : said("message");
  const details = status["details"];
  return new StatusError(
    code,
    said("reason"),
    why === "" ? `${by} without explanation` : `${by}: ${why}`,
    typeof details === "object" && details !== null ? details : undefined,
  );
}

/**
 * Resolves with what the webhook answered, its warnings given to the sender; undefined where it failed and may.
 * Throws the `StatusError` of a refusal, or of a failure that its policy does not let pass.
 */
export async function callWebhook(
  core: ServerCore,
  webhook: Webhook,
  subject: ReviewSubject,
  signal: AbortSignal | undefined,
): Promise<ReviewAnswer | undefined> {
  if (subject.attributes.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  let answer: ReviewAnswer;
  try {
    answer = await ask(core, webhook, subject, signal);
  } catch (error) {
    if (!(error instanceof WebhookFailed)) throw error;
    if (signal?.aborted === true) throw timeoutError("Timeout: request did not complete within requested timeout");
    if (webhook.failurePolicy === "Fail") throw internalError(error.message);
    core.log.warn("a webhook failed and is passed over", { webhook: webhook.name, err: error });
    return undefined;
  }
  const { annotate } = subject.attributes;
  if (annotate !== undefined)
    for (const [key, value] of answer.auditAnnotations)
      if (typeof value === "string") annotate(`${webhook.name}/${key}`, value);
  for (const warning of answer.warnings) subject.attributes.warn?.(warning);
  if (!answer.allowed) throw denied(webhook.name, answer.status);
  return answer;
}

async function ask(
  core: ServerCore,
  webhook: Webhook,
  subject: ReviewSubject,
  signal: AbortSignal | undefined,
): Promise<ReviewAnswer> {
  const version = reviewVersion(webhook.reviewVersions);
  if (version === undefined) {
    const why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)";
    throw failed(webhook, `could not create admission objects: ${why}`);
  }
  const uid = core.uuid();
  const review = admissionReview(version, uid, subject);
  const options = { timeoutSeconds: webhook.timeoutSeconds, ...(signal === undefined ? {} : { signal }) };
  let answer: unknown;
  try {
    answer = await core.webhooks.post(targetOf(webhook), review, options);
    checkKind(answer);
  } catch (error) {
    if (error instanceof WebhookFailed) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw failed(webhook, `failed to call webhook: ${why}`, { cause: error });
  }
  try {
    return readAnswer(answer, version, uid, webhook.phase === "mutating");
  } catch (error) {
    if (error instanceof InvalidAnswer) throw failed(webhook, `${error.what}: ${error.message}`, { cause: error });
    throw error;
  }
}

function targetOf(webhook: Webhook): WebhookTarget {
  try {
    return webhookTarget(webhook.clientConfig);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw failed(webhook, `could not get REST client: ${why}`, { cause: error });
  }
}
