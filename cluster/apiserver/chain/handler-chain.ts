/**
 * What every request passes, outermost first. The list below is the chain; nothing else decides on the order.
 */
import { StatusError, badRequest, internalError, serviceUnavailable, unauthorized } from "@travelops/kube";
import { StoreUnavailable } from "../../store/store.ts";
import { ANONYMOUS, isPublicPath, type AuthorizationAttributes } from "../access.ts";
import { forbiddenError } from "../authorization/authorizer.ts";
import type { UserInfo } from "../api-server.ts";
import type { Classified, Leave } from "../flow-control/flow-control.ts";
import type { ApiCall } from "../request/api-call.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import { authorizationNamespace, isLongRunning, type RequestInfo } from "../request/request-info.ts";
import type { ServerCore } from "../server-options.ts";

export type Handler = (call: ApiCall) => Promise<Reply>;
type Filter = (core: ServerCore, call: ApiCall, next: Handler) => Promise<Reply>;

/** Whatever goes wrong becomes a Status; a fault of ours is logged and answered with 500, and never ends the process. */
const recover: Filter = async (core, call, next) => {
  try {
    return await next(call);
  } catch (error) {
    const status = statusOf(core, call, error);
    const retryAfter = status.details?.retryAfterSeconds;
    return objectReply(
      status,
      status.code,
      retryAfter === undefined || retryAfter === 0 ? undefined : { "retry-after": String(retryAfter) },
    );
  }
};

function statusOf(core: ServerCore, call: ApiCall, error: unknown): StatusError["status"] {
  if (error instanceof StatusError) return error.status;
  if (error instanceof StoreUnavailable) return serviceUnavailable(error.message).status;
  core.metrics.panics++;
  core.log.error("a request failed with a fault of the server", {
    requestId: call.id,
    method: call.method,
    path: call.info.path,
    err: error,
  });
  return internalError("the server met a fault of its own; its log names it by the request id " + call.id).status;
}

const measure: Filter = async (core, call, next) => {
  const start = performance.now();
  const reply = await next(call);
  const { info } = call;
  const code = reply.kind === "object" || reply.kind === "raw" ? reply.code : 200;
  const known = info.kind === "resource" && core.registry.get(info.group, info.version, info.resource) !== undefined;
  core.metrics.request(
    info.kind === "resource" ? info.verb.toUpperCase() : info.verb.toUpperCase(),
    info.kind === "resource" ? (known ? info.resource : "") : "",
    known ? info.subresource : "",
    code,
    (performance.now() - start) / 1000,
  );
  return reply;
};

const authenticate: Filter = async (core, call, next) => {
  if (call.user === undefined) {
    const facts = {
      headers: call.headers,
      ...(call.peerCertificate === undefined ? {} : { peerCertificate: call.peerCertificate }),
    };
    const user = await core.access.authenticate(facts);
    if (user === undefined && !isPublicPath(call.info.path)) throw unauthorized();
    call.user = user ?? ANONYMOUS;
  }
  return next(call);
};

const isMutating = (info: RequestInfo): boolean =>
  info.kind === "resource"
    ? info.verb !== "get" && info.verb !== "list" && info.verb !== "watch"
    : info.verb !== "get" && info.verb !== "head" && info.verb !== "options";

/** Written down by the audit policy, where there is one. */
const audited: Filter = (core, call, next) => (core.audit === undefined ? next(call) : core.audit.observe(call, next));

/** A seat of the request's priority level; a watch holds it only until it has begun. */
const share: Filter = async (core, call, next) => {
  const { info, user } = call;
  if (user === undefined || (isLongRunning(info) && !isWatch(info))) return next(call);
  const classified = core.flows.classify(user, info);
  call.flow = classified;
  const { metrics } = core;
  let entered: Leave | Promise<Leave>;
  try {
    entered = classified.level.enter(classified.flow, call, widthOf(core, call, classified));
    if (typeof entered !== "function") entered = await entered;
  } catch (error) {
    metrics.rejected++;
    throw error;
  }
  const mutating = isMutating(info);
  if (mutating) metrics.inFlightWrites++;
  else metrics.inFlightReads++;
  try {
    return await next(call);
  } finally {
    entered();
    if (mutating) metrics.inFlightWrites--;
    else metrics.inFlightReads--;
  }
};

/** Lists, and watches that may begin with one, take as many seats as they are wide. */
function widthOf(core: ServerCore, { info, query }: ApiCall, classified: Classified): number {
  if (info.kind !== "resource" || (info.verb !== "list" && info.verb !== "watch")) return 1;
  const table = core.registry.get(info.group, info.version, info.resource)?.table;
  return table === undefined ? 1 : core.flows.width(classified, { verb: info.verb, table, query });
}

const isWatch = (info: RequestInfo): boolean => info.kind === "resource" && info.verb === "watch";

function attributesOf(user: UserInfo, info: RequestInfo): AuthorizationAttributes {
  if (info.kind === "path") {
    return {
      user,
      verb: info.verb,
      group: "",
      resource: "",
      subresource: "",
      namespace: "",
      name: "",
      path: info.path,
    };
  }
  const { verb, group, resource, subresource, name } = info;
  return { user, verb, group, resource, subresource, namespace: authorizationNamespace(info), name };
}

const STREAMED: ReadonlySet<string> = new Set(["exec", "attach", "portforward"]);

const authorize: Filter = async (core, call, next) => {
  const { user, info } = call;
  if (user === undefined) throw unauthorized();
  if (isPublicPath(info.path)) return next(call);
  const attributes = attributesOf(user, info);
  const decision = core.access.authorize(attributes);
  call.decision = decision;
  if (!decision.allowed) throw forbiddenError(attributes, decision);
  // A WebSocket can only be opened by GET, but what it does is what POST does.
  if (call.upgrade && info.kind === "resource" && info.verb === "get" && STREAMED.has(info.subresource)) {
    const create = { ...attributes, verb: "create" };
    const allowed = core.access.authorize(create);
    if (!allowed.allowed) throw forbiddenError(create, allowed);
  }
  return next(call);
};

const refuseWhenClosing: Filter = async (core, call, next) => {
  if (core.closing.aborted) throw serviceUnavailable("the server is shutting down");
  if (call.method === "") throw badRequest("the request has no method");
  return next(call);
};

const FILTERS: readonly Filter[] = [measure, recover, refuseWhenClosing, authenticate, audited, share, authorize];

/** The whole way of a request, from the outermost filter to `handler`. */
export function handlerChain(core: ServerCore, handler: Handler): Handler {
  return FILTERS.reduceRight<Handler>((next, filter) => (call) => filter(core, call, next), handler);
}
