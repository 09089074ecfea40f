/** How a CRD's versions are converted. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { bundleFault, checkBundle } from "../../validation/access/ca-bundle.ts";
import { dns1035Label, type Errors } from "../../validation/checks.ts";
import { child, has, list, strings, text, type Fields } from "../../validation/fields.ts";
import { checkWebhookPlace } from "../../validation/access/webhook-client.ts";

const PATH = "spec.conversion";
const STRATEGIES = ["None", "Webhook"];
const UNASKED = "should not be set when strategy is not set to Webhook";

const bundleOf = (spec: Fields | undefined): string =>
  text(child(child(child(spec, "conversion"), "webhook"), "clientConfig"), "caBundle");

/** Whether the versions are converted by a webhook whose certificates nobody can read. */
export const hasUnreadableBundle = (crd: KubeObject): boolean => {
  const spec = child(crd, "spec");
  const bundle = text(child(spec, "conversion"), "strategy") === "Webhook" ? bundleOf(spec) : "";
  return bundle !== "" && bundleFault(bundle) !== undefined;
};

/** `strict`: the CRD is served, by certificates that can be read. */
export function checkConversion(spec: Fields | undefined, strict: boolean, errors: Errors): void {
  const conversion = child(spec, "conversion");
  if (conversion === undefined) return;
  const strategy = text(conversion, "strategy");
  if (strategy !== "None" && spec?.["preserveUnknownFields"] === true)
    errors.push(fieldInvalid(`${PATH}.strategy`, strategy, "must be None if spec.preserveUnknownFields is true"));
  if (strategy === "") errors.push(fieldRequired(`${PATH}.strategy`));
  else if (!STRATEGIES.includes(strategy)) errors.push(fieldNotSupported(`${PATH}.strategy`, strategy, STRATEGIES));
  const webhook = child(conversion, "webhook");
  const versions = strings(webhook, "conversionReviewVersions");
  if (strategy === "Webhook") {
    checkClient(child(webhook, "clientConfig"), errors);
    if (strict) checkBundle(bundleOf(spec), `${PATH}.webhookClientConfig.caBundle`, errors);
    checkReviewVersions(versions, `${PATH}.conversionReviewVersions`, errors);
    return;
  }
  if (has(webhook, "clientConfig")) errors.push(fieldForbidden(`${PATH}.webhookClientConfig`, UNASKED));
  if (list(webhook, "conversionReviewVersions").length > 0)
    errors.push(fieldForbidden(`${PATH}.conversionReviewVersions`, UNASKED));
}

function checkClient(client: Fields | undefined, errors: Errors): void {
  const path = `${PATH}.webhookClientConfig`;
  if (client === undefined) errors.push(fieldRequired(path, "required when strategy is set to Webhook"));
  else checkWebhookPlace(client, path, errors);
}

function checkReviewVersions(versions: readonly string[], path: string, errors: Errors): void {
  if (versions.length === 0) return void errors.push(fieldRequired(path));
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(fieldInvalid(`${path}[${i}]`, version, "duplicate version"));
    else for (const fault of dns1035Label(version)) errors.push(fieldInvalid(`${path}[${i}]`, version, fault));
  });
  if (!versions.includes("v1") && !versions.includes("v1beta1"))
    errors.push(fieldInvalid(path, versions, "must include at least one of v1, v1beta1"));
}
