/** The request of the ingress to an endpoint: who may take it, its head and its framing. */
import type http from "node:http";
import type http2 from "node:http2";
import type { EndpointConfig } from "../../config.ts";
import type { Balancer } from "../balancer.ts";
import { clientOf, type Connect, type ConnectionContext, type ConnectionSource } from "../connector.ts";
import type { DataplaneState } from "../state.ts";
import type { HeaderMap } from "./filters.ts";
import type { ForwardPlan } from "./request-plan.ts";
import type { SessionPool, UpstreamAgent, UpstreamRequestOptions } from "./upstream.ts";

export type Incoming = http.IncomingMessage | http2.Http2ServerRequest;
export type Outgoing = http.ServerResponse | http2.Http2ServerResponse;

export interface ProxyTools {
  readonly state: DataplaneState;
  readonly balancer: Balancer;
  readonly connect: Connect;
  readonly agent: UpstreamAgent;
  readonly sessions: SessionPool;
  /** NetworkPolicies: whether the ingress may connect for a request that came in by these Gateways. */
  readonly mayEnter: (gateways: readonly string[] | undefined, endpoint: EndpointConfig) => boolean;
  readonly random: () => number;
}

/** The contexts to try for a target, in order. */
export function contextsFor(
  tools: ProxyTools,
  source: ConnectionSource,
  { service, port }: { service: string; port: number },
  gateways: readonly string[] | undefined,
): ConnectionContext[] {
  const target = tools.state.servicePort(service, port);
  if (target === undefined) return [];
  return tools.balancer
    .order(target.service, target.port, clientOf(source))
    .filter((endpoint) => tools.mayEnter(gateways, endpoint))
    .map((endpoint) => ({ source, service: target.service, port: target.port, endpoint }));
}

export const hasBody = (req: Incoming): boolean =>
  req.httpVersionMajor === 2
    ? !(req as http2.Http2ServerRequest).stream.endAfterHeaders
    : req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;

export function upstreamRequest(
  tools: ProxyTools,
  plan: ForwardPlan,
  target: ForwardPlan["target"],
  context: ConnectionContext,
  req: Incoming,
): UpstreamRequestOptions {
  return {
    host: context.endpoint.ip,
    port: context.endpoint.port,
    method: req.method ?? "GET",
    path: plan.path,
    headers: withFraming(plan.headers, req) as http.OutgoingHttpHeaders,
    agent: tools.agent,
    context,
    target,
    setDefaultHeaders: false,
  };
}

/** The head of the same request over HTTP/2. */
export function http2Head(plan: ForwardPlan, req: Incoming): http2.OutgoingHttpHeaders {
  const { host, ...rest } = plan.headers;
  return {
    ...rest,
    ":method": req.method ?? "GET",
    ":path": plan.path,
    ":authority": String(host ?? ""),
    ":scheme": "http",
  } as http2.OutgoingHttpHeaders;
}

/** Host and framing stay as the client sent them. */
function withFraming(headers: HeaderMap, req: Incoming): HeaderMap {
  const next: HeaderMap = { ...headers, connection: "keep-alive" };
  if (req.httpVersionMajor === 2) {
    if (hasBody(req) && next["content-length"] === undefined) next["transfer-encoding"] = "chunked";
  } else if (req.headers["transfer-encoding"] !== undefined) next["transfer-encoding"] = "chunked";
  return next;
}
