/** Which requests the standard signers take, in upstream's words where they do not. Pure. */
import type { CertificateRequest } from "../../apiserver/pki/certificate-request.ts";

export const KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet";
const NODE_PREFIX = "system:node:";
const NODES = "system:nodes";

type Check = (request: CertificateRequest, usages: readonly string[]) => string | undefined;

const SIGNERS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["kubernetes.io/kube-apiserver-client", (_request, usages) => clientFault(usages)],
  [KUBELET_CLIENT, kubeletClientFault],
  ["kubernetes.io/kubelet-serving", kubeletServingFault],
  ["kubernetes.io/legacy-unknown", () => undefined],
]);

export const isStandardSigner = (signer: string): boolean => SIGNERS.has(signer);

/** Why `signer` does not sign this; undefined where it does. */
export const signerFault = (
  signer: string,
  request: CertificateRequest,
  usages: readonly string[],
): string | undefined => SIGNERS.get(signer)?.(request, usages);

function clientFault(usages: readonly string[]): string | undefined {
  const foreign = usages.find((usage) => !["digital signature", "key encipherment", "client auth"].includes(usage));
  if (foreign !== undefined) return `invalid usage for client certificate: ${foreign}`;
  return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
}

export function kubeletClientFault(request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length > 0) return "DNS subjectAltNames are not allowed";
  if (request.emails.length > 0) return "Email subjectAltNames are not allowed";
  if (request.addresses.length > 0) return "IP subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  if (!request.commonName.startsWith(NODE_PREFIX)) return "subject common name does not begin with system:node:";
  return usageFault(usages, "client auth");
}

function kubeletServingFault(request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length === 0 && request.addresses.length === 0) return "DNS or IP subjectAltName is required";
  if (request.emails.length > 0) return "Email subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  const fault = usageFault(usages, "server auth");
  if (fault !== undefined) return fault;
  return request.commonName.startsWith(NODE_PREFIX)
    ? undefined
    : "subject common name does not begin with system:node:";
}

const isOfNodes = ({ organizations }: CertificateRequest): boolean =>
  organizations.length === 1 && organizations[0] === NODES;

/** Key encipherment may be left out: keys that are not RSA's have no use for it. */
function usageFault(usages: readonly string[], purpose: string): string | undefined {
  const wanted = [purpose, "digital signature", "key encipherment"].toSorted();
  const given = new Set(usages);
  const without = wanted.filter((usage) => usage !== "key encipherment");
  const equals = (set: readonly string[]): boolean => set.length === given.size && set.every((each) => given.has(each));
  return equals(wanted) || equals(without) ? undefined : `usages did not match [${wanted.join(" ")}]`;
}
