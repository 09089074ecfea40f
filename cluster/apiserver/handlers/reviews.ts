/** Requests that are questions to authentication and authorization: nothing is stored. */
import { badRequest, notFound, type KubeObject } from "@travelops/kube";
import { normalize } from "@travelops/kube/schema/normalize";
import { kindNode } from "@travelops/kube/schema/table";
import { header, type ApiCall } from "../request/api-call.ts";
import { decodeBody, expectKind, fieldValidationOf, pruneUnknown } from "../request/body-codec.ts";
import { negotiate, OBJECT_ONLY } from "../request/negotiation.ts";
import { methodNotAllowed } from "../request/method-not-allowed.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { admitAction } from "./admit-action.ts";
import { checkObjectTypes } from "./object-schema.ts";
import { writeContext } from "./write-context.ts";

async function decodeQuestion(call: ApiCall, resource: ServedResource): Promise<KubeObject> {
  const validation = fieldValidationOf(call.query);
  const { value, duplicates } = await decodeBody(await call.readBody(), validation !== "Ignore");
  const object = pruneUnknown(call, resource.row.schema, expectKind(value, resource.row), duplicates, validation);
  checkObjectTypes(resource, object);
  return object;
}

export async function handleReview(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  if (info.verb !== "create" || info.subresource !== "") throw methodNotAllowed();
  negotiate(header(call.headers, "accept"), OBJECT_ONLY);
  if (call.user === undefined) throw new Error("a review reached its handler without a user");
  const question = await decodeQuestion(call, resource);
  const object = await admitAction(core, resource, writeContext(core, call, info), {
    operation: "CREATE",
    subresource: "",
    namespace: info.namespace,
    name: question.metadata?.name ?? "",
    object: normalize(resource.row.schema, question) as KubeObject,
    oldObject: undefined,
  });
  const answer = await core.access.answerReview({
    group: info.group,
    resource: info.resource,
    namespace: info.namespace,
    user: call.user,
    object,
  });
  return objectReply(answer, 201);
}

/** `POST serviceaccounts/NAME/token`. */
export async function handleToken(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  negotiate(header(call.headers, "accept"), OBJECT_ONLY);
  const stored = core.store.get({ table: resource.table, namespace: info.namespace, name: info.name });
  if (stored === undefined) throw notFound(resource.groupResource, info.name);
  const schema = kindNode("authentication.k8s.io", "v1", "TokenRequest");
  if (schema === undefined) throw badRequest("TokenRequest is not known to this server");
  const validation = fieldValidationOf(call.query);
  const { value, duplicates } = await decodeBody(await call.readBody(), validation !== "Ignore");
  const expected = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" };
  const object = await admitAction(core, resource, writeContext(core, call, info), {
    operation: "CREATE",
    subresource: "token",
    namespace: info.namespace,
    name: info.name,
    object: pruneUnknown(call, schema, expectKind(value, expected), duplicates, validation),
    oldObject: undefined,
  });
  const answer = await core.access.issueToken({
    namespace: info.namespace,
    serviceAccount: info.name,
    object,
    ...(call.annotate === undefined ? {} : { annotate: call.annotate }),
  });
  return objectReply(answer, 201);
}
