/** Who approves or signs a request for a certificate needs the right to do it for its signer (resource `signers`). */
import { forbidden, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { AdmissionPlugin } from "../admission/plugin.ts";
import { shownName } from "../admission/plugin.ts";
import type { Authorize } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { parseCertificateRequest } from "../pki/certificate-request.ts";

const GROUP = "certificates.k8s.io";
const RESOURCE = "certificatesigningrequests";
const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";

interface SigningRequest extends KubeObject {
  readonly spec?: { readonly signerName?: string; readonly request?: string };
  readonly status?: { readonly certificate?: string; readonly conditions?: readonly unknown[] };
}

/** The admission plug-ins CertificateApproval, CertificateSigning and CertificateSubjectRestriction. */
export const certificateSigners = (authorize: Authorize): AdmissionPlugin => ({
  name: "CertificateSigners",
  validate(attributes) {
    const { group, resource, subresource, operation, user } = attributes;
    if (group !== GROUP || resource !== RESOURCE) return;
    const refuse = (reason: string) => forbidden({ group, resource }, shownName(attributes), reason);
    const old = attributes.oldObject as SigningRequest | undefined;
    const request = attributes.object as SigningRequest | undefined;
    const signer = old?.spec?.signerName ?? "";
    if (operation === "UPDATE" && subresource === "approval" && !mayFor(authorize, user, "approve", signer))
      throw refuse(`user not permitted to approve requests with signerName ${JSON.stringify(signer)}`);
    if (operation === "UPDATE" && subresource === "status" && changesOutcome(request, old)) {
      if (!mayFor(authorize, user, "sign", signer))
        throw refuse(`user not permitted to sign requests with signerName ${JSON.stringify(signer)}`);
    }
    if (operation === "CREATE" && subresource === "" && asksForMasters(request, refuse))
      throw refuse(`use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`);
  },
});

const changesOutcome = (request: SigningRequest | undefined, old: SigningRequest | undefined): boolean =>
  request?.status?.certificate !== old?.status?.certificate ||
  !equalJson(request?.status?.conditions ?? [], old?.status?.conditions ?? []);

/** The signer's own name, or all of its domain. */
function mayFor(authorize: Authorize, user: UserInfo, verb: string, signer: string): boolean {
  const allowed = (name: string): boolean =>
    authorize({ user, verb, group: GROUP, resource: "signers", subresource: "", namespace: "", name }).allowed;
  return allowed(signer) || allowed(`${signer.split("/")[0] ?? ""}/*`);
}

function asksForMasters(request: SigningRequest | undefined, refuse: (reason: string) => Error): boolean {
  if (request?.spec?.signerName !== CLIENT_SIGNER) return false;
  try {
    const pem = Buffer.from(request.spec.request ?? "", "base64").toString("latin1");
    return parseCertificateRequest(pem).organizations.includes("system:masters");
  } catch (error) {
    throw refuse(`failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`);
  }
}
