/** What registers with the server: other API servers, and requests for certificates. */
import { fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import type { Errors } from "./checks.ts";
import { child, list, number, text } from "./fields.ts";

export function checkApiService(service: KubeObject, errors: Errors): void {
  const spec = child(service, "spec");
  const name = `${text(spec, "version")}.${text(spec, "group")}`;
  if (service.metadata.name !== name) {
    errors.push(
      fieldInvalid(
        "metadata.name",
        service.metadata.name,
        `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`,
      ),
    );
  }
  for (const [key, limit] of [
    ["groupPriorityMinimum", 20_000],
    ["versionPriority", 1000],
  ] as const) {
    const value = number(spec, key) ?? 0;
    if (value <= 0 || value > limit)
      errors.push(fieldInvalid(`spec.${key}`, value, `must be positive and less than ${limit}`));
  }
}

const SIGNER = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[^/].*$/;

export function checkSigningRequest(request: KubeObject, errors: Errors): void {
  const spec = child(request, "spec");
  const pem = Buffer.from(text(spec, "request"), "base64").toString("latin1");
  if (!/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(pem)) {
    errors.push(fieldInvalid("spec.request", text(spec, "request"), "PEM block type must be CERTIFICATE REQUEST"));
  }
  if (list(spec, "usages").length === 0) errors.push(fieldRequired("spec.usages"));
  const signer = text(spec, "signerName");
  if (signer === "") errors.push(fieldRequired("spec.signerName"));
  else if (!SIGNER.test(signer))
    errors.push(
      fieldInvalid(
        "spec.signerName",
        signer,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
}
