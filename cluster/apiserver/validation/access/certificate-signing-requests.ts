/** What is wrong with a CertificateSigningRequest, and which of its parts each endpoint may change. */
import { X509Certificate } from "node:crypto";
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type KubeObject,
} from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { CertificateRequestError, checkSignature, parseCertificateRequest } from "../../pki/certificate-request.ts";
import { USAGES } from "../../pki/sign-request.ts";
import { dnsLabel, dnsSubdomain, type Errors } from "../checks.ts";
import { child, has, items, number, strings, text, type Fields } from "../fields.ts";

const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";
const SHORTEST_SECONDS = 600;
const LASTING = ["Approved", "Denied", "Failed"] as const;
const ALL_STATUS = ["False", "True", "Unknown"];
const CONDITIONS = "status.conditions";

/** `old` is undefined on create; `subresource` is "", `status` or `approval`. */
export function checkSigningRequest(
  request: KubeObject,
  old: KubeObject | undefined,
  subresource: string,
  errors: Errors,
): void {
  const spec = child(request, "spec");
  const status = child(request, "status");
  const before = child(old, "status");
  checkRequest(has(spec, "request") ? text(spec, "request") : undefined, errors);
  checkUsages(strings(spec, "usages"), errors);
  checkSigner(text(spec, "signerName"), text(child(old, "spec"), "signerName") === LEGACY_SIGNER, errors);
  const seconds = number(spec, "expirationSeconds");
  if (seconds !== undefined && seconds < SHORTEST_SECONDS)
    errors.push(
      fieldInvalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"),
    );
  checkConditions(items(status, "conditions"), errors);
  const certificate = text(status, "certificate");
  if (certificate !== text(before, "certificate")) checkCertificate(certificate, errors);
  if (old === undefined) return;
  checkConditionChanges(items(status, "conditions"), items(before, "conditions"), subresource, errors);
  if (certificate === text(before, "certificate")) return;
  if (subresource !== "status")
    errors.push(fieldForbidden("status.certificate", "updates may not set certificate content"));
  else if (text(before, "certificate") !== "")
    errors.push(fieldForbidden("status.certificate", "updates may not modify existing certificate content"));
}

function checkRequest(base64: string | undefined, errors: Errors): void {
  try {
    checkSignature(parseCertificateRequest(Buffer.from(base64 ?? "", "base64").toString("latin1")));
  } catch (error) {
    if (!(error instanceof CertificateRequestError)) throw error;
    errors.push(fieldInvalid("spec.request", base64 ?? null, error.message));
  }
}

function checkUsages(usages: readonly string[], errors: Errors): void {
  if (usages.length === 0) errors.push(fieldRequired("spec.usages"));
  usages.forEach((usage, n) => {
    if (!USAGES.includes(usage)) errors.push(fieldNotSupported(`spec.usages[${n}]`, usage, USAGES));
  });
  usages.forEach((usage, n) => {
    if (usages.indexOf(usage) < n) errors.push(fieldDuplicate(`spec.usages[${n}]`, usage));
  });
}

function checkSigner(signer: string, legacyBefore: boolean, errors: Errors): void {
  const path = "spec.signerName";
  if (signer === LEGACY_SIGNER && !legacyBefore) {
    errors.push(fieldInvalid(path, signer, "the legacy signerName is not allowed via this API version"));
    return;
  }
  if (signer === "") {
    errors.push(fieldRequired(path));
    return;
  }
  const [domain = "", name = "", ...more] = signer.split("/");
  if (more.length > 0 || !signer.includes("/")) {
    errors.push(
      fieldInvalid(path, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    );
    return;
  }
  const labels = domain.split(".");
  checkLabels(domain, labels, dnsLabel, path, errors);
  if (labels.length < 2)
    errors.push(fieldInvalid(path, domain, "should be a domain with at least two segments separated by dots"));
  checkLabels(name, name.split("."), dnsSubdomain, path, errors);
}

/** The faults of the first label that has any. */
function checkLabels(
  whole: string,
  labels: readonly string[],
  check: typeof dnsLabel,
  path: string,
  errors: Errors,
): void {
  for (const label of labels) {
    const faults = check(label);
    for (const fault of faults)
      errors.push(fieldInvalid(path, whole, `validating label ${JSON.stringify(label)}: ${fault}`));
    if (faults.length > 0) return;
  }
}

function checkConditions(conditions: readonly Fields[], errors: Errors): void {
  const seen = new Set<string>();
  conditions.forEach((condition, n) => {
    const type = text(condition, "type");
    const status = text(condition, "status");
    if (type === "") errors.push(fieldRequired(`${CONDITIONS}[${n}].type`));
    const allowed = LASTING.some((each) => each === type) ? ["True"] : ALL_STATUS;
    if (status === "") errors.push(fieldRequired(`${CONDITIONS}[${n}].status`));
    else if (!allowed.includes(status)) errors.push(fieldNotSupported(`${CONDITIONS}[${n}].status`, status, allowed));
    if ((type === "Approved" && seen.has("Denied")) || (type === "Denied" && seen.has("Approved")))
      errors.push(fieldInvalid(CONDITIONS, type, "Approved and Denied conditions are mutually exclusive"));
    if (seen.has(type)) errors.push(fieldDuplicate(`${CONDITIONS}[${n}].type`, type));
    seen.add(type);
  });
}

function checkConditionChanges(
  conditions: readonly Fields[],
  before: readonly Fields[],
  subresource: string,
  errors: Errors,
): void {
  const ofType = (all: readonly Fields[], type: string): Fields[] => all.filter((each) => text(each, "type") === type);
  for (const type of LASTING) {
    if (ofType(conditions, type).length < ofType(before, type).length)
      errors.push(fieldForbidden(CONDITIONS, `updates may not remove a condition of type ${JSON.stringify(type)}`));
  }
  if (subresource === "approval") return;
  for (const type of ["Approved", "Denied"]) {
    const [now, then] = [ofType(conditions, type), ofType(before, type)];
    if (now.length > then.length)
      errors.push(fieldForbidden(CONDITIONS, `updates may not add a condition of type ${JSON.stringify(type)}`));
    else if (now.length === then.length && !equalJson(now, then))
      errors.push(fieldForbidden(CONDITIONS, `updates may not modify a condition of type ${JSON.stringify(type)}`));
  }
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g;

function checkCertificate(base64: string, errors: Errors): void {
  if (base64 === "") return;
  const fault = certificateFault(Buffer.from(base64, "base64").toString("latin1"));
  if (fault !== undefined) errors.push(fieldInvalid("status.certificate", "<certificate data>", fault));
}

function certificateFault(pem: string): string | undefined {
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0) return "must contain at least one CERTIFICATE PEM block";
  for (const [whole, type = "", body = ""] of blocks) {
    if (type !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(":")) return "no PEM block headers are permitted";
    try {
      void new X509Certificate(whole);
    } catch {
      return "x509: malformed certificate";
    }
  }
  return undefined;
}
