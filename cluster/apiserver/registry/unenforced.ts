/**
 * Kinds that are served, stored and watched, while nothing in an embedded cluster acts on them yet: whoever writes one
 * is told so with a `Warning` header, since what does not work must not seem to.
 */
const WEBHOOKS = "this embedded cluster stores webhook configurations but does not call admission webhooks";
const POLICIES = "this embedded cluster stores admission policies but does not evaluate them";
const NETWORK = "this embedded cluster stores NetworkPolicies but does not enforce them";

const UNENFORCED: Readonly<Record<string, string>> = {
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
  "validatingadmissionpolicies.admissionregistration.k8s.io": POLICIES,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": POLICIES,
  "networkpolicies.networking.k8s.io": NETWORK,
  "flowschemas.flowcontrol.apiserver.k8s.io":
    "this embedded cluster limits requests in flight as a whole, not by FlowSchemas",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io":
    "this embedded cluster limits requests in flight as a whole, not by priority levels",
};

const POD_SECURITY = "pod-security.kubernetes.io/";

/** What to say of writing such an object; undefined where it does what it says. */
export function unenforced(table: string, labels: Readonly<Record<string, string>> | undefined): string | undefined {
  const asks = table === "namespaces." && Object.keys(labels ?? {}).some((label) => label.startsWith(POD_SECURITY));
  return asks ? "this embedded cluster does not enforce pod security levels of namespaces" : UNENFORCED[table];
}
