/** ValidatingAdmissionPolicies and their bindings, as the API server works with them. */
import type { KubeObject } from "@travelops/kube";
import type { LabelSelector } from "@travelops/kube/client/selectors";

export interface NamedRule {
  readonly resourceNames?: readonly string[];
  readonly operations: readonly string[];
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly scope?: string;
}

export interface MatchResources {
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly resourceRules?: readonly NamedRule[];
  readonly excludeResourceRules?: readonly NamedRule[];
  readonly matchPolicy?: "Exact" | "Equivalent";
}

export interface Validation {
  readonly expression: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
}

export interface ParamKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface PolicySpec {
  readonly failurePolicy?: "Fail" | "Ignore";
  readonly paramKind?: ParamKind;
  readonly matchConstraints?: MatchResources;
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations?: readonly Validation[];
  readonly auditAnnotations?: readonly { readonly key: string; readonly valueExpression: string }[];
}

export interface Policy extends KubeObject {
  readonly spec: PolicySpec;
}

export interface ParamRef {
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: LabelSelector;
  readonly parameterNotFoundAction?: "Allow" | "Deny";
}

export type Action = "Deny" | "Warn" | "Audit";

export interface BindingSpec {
  readonly policyName: string;
  readonly paramRef?: ParamRef;
  readonly matchResources?: MatchResources;
  readonly validationActions?: readonly Action[];
}

export interface Binding extends KubeObject {
  readonly spec: BindingSpec;
}

const GROUP = "admissionregistration.k8s.io";
export const POLICIES = `validatingadmissionpolicies.${GROUP}`;
export const BINDINGS = `validatingadmissionpolicybindings.${GROUP}`;

/** Never held against policies: one could no longer be mended. */
const EXEMPT: ReadonlySet<string> = new Set([
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** Nor are the answers that the cluster itself lives by: reviews. */
const REVIEWS: ReadonlySet<string> = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

export const isExempt = (group: string, resource: string): boolean =>
  (group === GROUP && EXEMPT.has(resource)) || REVIEWS.has(group);
