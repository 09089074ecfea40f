/** CertificateSigningRequests: kubelets' own are approved, approved ones signed, old ones removed. */
import type { Informer, KubeObject } from "@travelops/kube";
import { CERTIFICATE_SIGNING_REQUESTS, runController, sourceOf, type Resource } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import {
  CertificateRequestError,
  parseCertificateRequest,
  type CertificateRequest,
} from "../../apiserver/pki/certificate-request.ts";
import type { ControllerContext } from "../context.ts";
import { deleteExactly } from "../shared/write.ts";
import { removalTime } from "./clean-up.ts";
import {
  certificateOf,
  conditionOf,
  requestOf,
  type RequestCondition,
  type SigningRequest,
} from "./signing-request.ts";
import { isStandardSigner, KUBELET_CLIENT, kubeletClientFault, signerFault } from "./signers.ts";

/** What a request that names no duration gets, and the most that any gets: a year. */
const LIFETIME_S = 365 * 24 * 3600;
const SHORTEST_S = 600;
/** The longest wait of a timer, and nothing shorter than a second. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

const REQUESTS = CERTIFICATE_SIGNING_REQUESTS as Resource<SigningRequest>;
const REVIEWS: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  resource: "subjectaccessreviews",
  kind: "SubjectAccessReview",
  namespaced: false,
};

/** Runs until the signal aborts. Without a CA nothing is signed. */
export async function certificateController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const requests: Informer<SigningRequest> = informers.of(REQUESTS);
  await runController({
    name: "certificatesigningrequest",
    signal,
    clock,
    log,
    sources: [sourceOf(requests, ({ type, object }) => (type === "deleted" ? [] : [object.metadata.name ?? ""]))],
    async reconcile(name) {
      const request = requests.get("", name);
      if (request === undefined || request.metadata.deletionTimestamp !== undefined) return;
      const left = removalTime(request) - clock.now();
      if (left < 0) return deleteExactly(client, REQUESTS, request);
      await handle(context, requests, request);
      return { requeueAfterMs: Math.min(Math.max(left, 1000), LONGEST_WAIT_MS) };
    },
  });
}

async function handle(
  context: ControllerContext,
  requests: Informer<SigningRequest>,
  request: SigningRequest,
): Promise<void> {
  const decided = conditionOf(request, "Approved") ?? conditionOf(request, "Denied");
  if (certificateOf(request) !== undefined || conditionOf(request, "Failed") !== undefined) return;
  if (decided?.type === "Denied" || !isStandardSigner(request.spec?.signerName ?? "")) return;
  const parsed = readable(request);
  if (parsed === undefined) return;
  const next = decided === undefined ? await approval(context, request, parsed) : outcome(context, request, parsed);
  if (next === undefined) return;
  const subresource = decided === undefined ? "approval" : "status";
  requests.note(await context.client.update(REQUESTS, next, { subresource }));
}

/** What the API accepted is readable; anything else was put there by other means and is left alone. */
function readable(request: SigningRequest): CertificateRequest | undefined {
  try {
    return parseCertificateRequest(requestOf(request));
  } catch (error) {
    if (error instanceof CertificateRequestError) return undefined;
    throw error;
  }
}

function withCondition(request: SigningRequest, condition: RequestCondition): SigningRequest {
  return { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] } };
}

/** The request, approved, where its sender may have kubelets' certificates. */
async function approval(
  context: ControllerContext,
  request: SigningRequest,
  parsed: CertificateRequest,
): Promise<SigningRequest | undefined> {
  const { spec } = request;
  if (spec?.signerName !== KUBELET_CLIENT || kubeletClientFault(parsed, spec.usages ?? []) !== undefined) return;
  const own = spec.username === parsed.commonName;
  const approved = (whose: string): SigningRequest =>
    withCondition(request, {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message: `Auto approving ${whose}kubelet client certificate after SubjectAccessReview.`,
    });
  if (own && (await mayHave(context, request, "selfnodeclient"))) return approved("self ");
  return (await mayHave(context, request, "nodeclient")) ? approved("") : undefined;
}

async function mayHave({ client }: ControllerContext, { spec }: SigningRequest, subresource: string): Promise<boolean> {
  const review = await client.create<KubeObject>(REVIEWS, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      user: spec?.username,
      ...(spec?.uid === undefined ? {} : { uid: spec.uid }),
      groups: spec?.groups,
      ...(spec?.extra === undefined ? {} : { extra: spec.extra }),
      resourceAttributes: {
        group: "certificates.k8s.io",
        resource: "certificatesigningrequests",
        verb: "create",
        version: "*",
        subresource,
      },
    },
  });
  return (review["status"] as { readonly allowed?: boolean } | undefined)?.allowed === true;
}

/** The approved request with its certificate, or with the reason why there is none. */
function outcome(
  { signCertificate, clock }: ControllerContext,
  request: SigningRequest,
  parsed: CertificateRequest,
): SigningRequest | undefined {
  const usages = request.spec?.usages ?? [];
  const fault = signerFault(request.spec?.signerName ?? "", parsed, usages);
  if (fault !== undefined) {
    const now = formatTime(clock.now());
    return withCondition(request, {
      type: "Failed",
      status: "True",
      reason: "SignerValidationFailure",
      message: fault,
      lastUpdateTime: now,
    });
  }
  if (signCertificate === undefined) return undefined;
  const asked = request.spec?.expirationSeconds ?? LIFETIME_S;
  const lifetimeMs = Math.min(Math.max(asked, SHORTEST_S), LIFETIME_S) * 1000;
  const certificate = signCertificate(parsed, { usages, lifetimeMs });
  return { ...request, status: { ...request.status, certificate: Buffer.from(certificate).toString("base64") } };
}
