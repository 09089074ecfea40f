/** The access reviews: `kubectl auth can-i` and everyone who asks on behalf of others. */
import { badRequest, fieldInvalid, invalid } from "@travelops/kube";
import type { FieldError, KubeObject } from "@travelops/kube";
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { AnswerReview, Authorize, AuthorizationAttributes } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { rulesFor } from "./authorizer.ts";
import type { RbacIndex } from "./rbac-index.ts";

const GROUP = "authorization.k8s.io";

interface ResourceAttributes {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

interface ReviewSpec {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
}

type ReviewRequest = Parameters<AnswerReview>[0];

/** Answers one of the four reviews of `authorization.k8s.io`; undefined for another resource. */
export function answerAccessReview(
  index: RbacIndex,
  authorize: Authorize,
  request: ReviewRequest,
): KubeObject | undefined {
  switch (request.group === GROUP ? request.resource : "") {
    case "subjectaccessreviews":
    case "localsubjectaccessreviews":
      return decide(authorize, request, subjectOf(request));
    case "selfsubjectaccessreviews":
      return decide(authorize, request, request.user);
    case "selfsubjectrulesreviews":
      return listRules(index, request);
    default:
      return undefined;
  }
}

const specOf = (object: KubeObject): ReviewSpec => (object["spec"] as ReviewSpec | undefined) ?? {};

function subjectOf({ object }: ReviewRequest): UserInfo {
  const { user = "", groups = [], uid, extra } = specOf(object);
  return { name: user, groups, uid, extra };
}

function decide(authorize: Authorize, request: ReviewRequest, user: UserInfo): KubeObject {
  const { object } = request;
  const faults = faultsOf(request);
  if (faults.length > 0) throw invalid(GROUP, object.kind, "", faults);
  const { allowed, reason } = authorize(attributesOf(specOf(object), user));
  return { ...object, status: { allowed, ...(reason === "" ? {} : { reason }) } };
}

function attributesOf(
  { resourceAttributes: resource, nonResourceAttributes: path }: ReviewSpec,
  user: UserInfo,
): AuthorizationAttributes {
  return {
    user,
    verb: resource?.verb ?? path?.verb ?? "",
    group: resource?.group ?? "",
    resource: resource?.resource ?? "",
    subresource: resource?.subresource ?? "",
    namespace: resource?.namespace ?? "",
    name: resource?.name ?? "",
    ...(path === undefined ? {} : { path: path.path ?? "" }),
  };
}

function faultsOf({ resource: kind, namespace, object }: ReviewRequest): FieldError[] {
  const { resourceAttributes: resource, nonResourceAttributes: path, user = "", groups = [] } = specOf(object);
  const faults: FieldError[] = [];
  if (resource !== undefined && path !== undefined) {
    faults.push(
      fieldInvalid("spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes"),
    );
  }
  if (resource === undefined && path === undefined) {
    faults.push(
      fieldInvalid(
        "spec.resourceAttributes",
        null,
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    );
  }
  if (kind !== "selfsubjectaccessreviews" && user === "" && groups.length === 0) {
    faults.push(fieldInvalid("spec.user", user, "at least one of user or group must be specified"));
  }
  if (kind === "localsubjectaccessreviews" && (resource?.namespace ?? "") !== namespace) {
    faults.push(
      fieldInvalid("spec.resourceAttributes.namespace", resource?.namespace ?? "", "must match metadata.namespace"),
    );
  }
  return faults;
}

function listRules(index: RbacIndex, { object, user }: ReviewRequest): KubeObject {
  const namespace = (object["spec"] as { namespace?: string } | undefined)?.namespace ?? "";
  if (namespace === "") throw badRequest("no namespace on request");
  const rules = rulesFor(index, user, namespace);
  const part = (rule: PolicyRule, fields: readonly (keyof PolicyRule)[]): object =>
    Object.fromEntries(fields.flatMap((field) => (rule[field] === undefined ? [] : [[field, rule[field]]])));
  return {
    ...object,
    status: {
      resourceRules: rules
        .filter((rule) => rule.resources !== undefined)
        .map((rule) => part(rule, ["verbs", "apiGroups", "resources", "resourceNames"])),
      nonResourceRules: rules
        .filter((rule) => rule.nonResourceURLs !== undefined)
        .map((rule) => part(rule, ["verbs", "nonResourceURLs"])),
      incomplete: false,
    },
  };
}
