/** Carries one request to an endpoint and its answer back, over HTTP/1.1 or HTTP/2 on either side. */
import type http from "node:http";
import http2 from "node:http2";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { EndpointConfig } from "../../config.ts";
import type { Balancer } from "../balancer.ts";
import { clientOf, sourceAddress, type Connect, type ConnectionContext, type ConnectionSource } from "../connector.ts";
import type { DataplaneState } from "../state.ts";
import { changeHeaders, endToEnd, type HeaderMap } from "./filters.ts";
import { gatewayFault, heldBack, noEndpoint, renderPage, type Page } from "./pages.ts";
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

/** Why there is no endpoint to try (any more). */
export function noContext({ state, mayEnter }: ProxyTools, { target, gateways, owner }: ForwardPlan): Page {
  const ready = state.servicePort(target.service, target.port)?.port.endpoints.filter((e) => e.ready) ?? [];
  const held = ready.length > 0 && !ready.some((e) => mayEnter(gateways, e));
  return (held ? heldBack : noEndpoint)(target.service, target.port, owner);
}

export function sendPage(res: Outgoing, page: Page, accept: string | undefined): void {
  if (res.headersSent) return void res.destroy();
  const { type, body } = renderPage(page, accept);
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(body),
  };
  if (res instanceof http2.Http2ServerResponse) res.writeHead(page.status, headers).end(body);
  else res.writeHead(page.status, headers).end(body);
}

const isGrpc = (headers: HeaderMap): boolean => String(headers["content-type"] ?? "").startsWith("application/grpc");

/** Serves one forward plan. */
export function proxyRequest(
  tools: ProxyTools,
  plan: ForwardPlan,
  source: ConnectionSource,
  req: Incoming,
  res: Outgoing,
): void {
  const contexts = contextsFor(tools, source, plan.target, plan.gateways);
  const accept = req.headers.accept;
  req.on("error", () => {});
  res.on("error", () => {});
  for (const mirror of plan.mirrors) mirrorRequest(tools, mirror, plan, source, req);
  const exchange: Exchange = { tools, plan, req, res, accept, done: false, abort: () => {} };
  if (plan.requestTimeoutMs > 0) armTimeout(exchange, plan.requestTimeoutMs);
  res.on("close", () => {
    if (!res.writableFinished) exchange.abort();
    exchange.done = true;
  });
  const useHttp2 = plan.target.protocol === "h2c" || (req.httpVersionMajor === 2 && isGrpc(req.headers));
  if (useHttp2) void overHttp2(exchange, contexts);
  else overHttp1(exchange, contexts);
}

interface Exchange {
  readonly tools: ProxyTools;
  readonly plan: ForwardPlan;
  readonly req: Incoming;
  readonly res: Outgoing;
  readonly accept: string | undefined;
  done: boolean;
  abort: () => void;
}

function armTimeout(exchange: Exchange, ms: number): void {
  const timer = setTimeout(() => {
    if (exchange.done || exchange.res.headersSent) return;
    exchange.abort();
    fail(
      exchange,
      gatewayFault(
        504,
        exchange.plan.target.service,
        `No answer within ${ms} ms, the time ${exchange.plan.owner} allows.`,
      ),
    );
  }, ms);
  exchange.res.once("close", () => clearTimeout(timer));
}

const tooSlow = ({ target, backendTimeoutMs }: ForwardPlan): Page =>
  gatewayFault(504, target.service, `The endpoint did not answer within ${backendTimeoutMs} ms.`);

function fail(exchange: Exchange, page: Page): void {
  if (exchange.done) return;
  exchange.done = true;
  exchange.req.unpipe();
  exchange.req.resume();
  sendPage(exchange.res, page, exchange.accept);
}

const hasBody = (req: Incoming): boolean =>
  req.httpVersionMajor === 2
    ? !(req as http2.Http2ServerRequest).stream.endAfterHeaders
    : req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;

function upstreamRequest(
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

function overHttp1(exchange: Exchange, contexts: readonly ConnectionContext[]): void {
  const { tools, plan, req } = exchange;
  const context = contexts[0];
  if (context === undefined) return fail(exchange, noContext(tools, plan));
  const options = upstreamRequest(tools, plan, plan.target, context, req);
  const upstream = nodeHttp().request(options);
  let started = false;
  exchange.abort = () => upstream.destroy();
  if (plan.backendTimeoutMs > 0) {
    upstream.setTimeout(plan.backendTimeoutMs, () => {
      fail(exchange, tooSlow(plan));
      upstream.destroy();
    });
  }
  const body = hasBody(req);
  upstream.once("socket", () => {
    started = true;
    tools.balancer.served(context.service, sourceAddress(context.source), context.endpoint);
    if (body) req.pipe(upstream);
    else upstream.end();
  });
  upstream.once("response", (answer) => passAnswer(exchange, answer));
  upstream.once("error", (error: NodeJS.ErrnoException) => {
    if (exchange.done) return;
    if (exchange.res.headersSent) return void exchange.res.destroy();
    if (!started) return overHttp1(exchange, contexts.slice(1));
    if (upstream.reusedSocket && !body) return overHttp1(exchange, contexts);
    fail(
      exchange,
      gatewayFault(
        502,
        plan.target.service,
        `The endpoint ${context.endpoint.ip}:${context.endpoint.port} failed: ${error.message}.`,
      ),
    );
  });
}

/** Host and framing stay as the client sent them. */
function withFraming(headers: HeaderMap, req: Incoming): HeaderMap {
  const next: HeaderMap = { ...headers, connection: "keep-alive" };
  if (req.httpVersionMajor === 2) {
    if (hasBody(req) && next["content-length"] === undefined) next["transfer-encoding"] = "chunked";
  } else if (req.headers["transfer-encoding"] !== undefined) next["transfer-encoding"] = "chunked";
  return next;
}

function passAnswer(exchange: Exchange, answer: http.IncomingMessage): void {
  const { res } = exchange;
  if (exchange.done) return void answer.resume();
  writeHead(exchange, answer.statusCode ?? 502, answer.headers);
  answer.on("error", () => res.destroy());
  answer.on("aborted", () => res.destroy());
  answer.on("end", () => {
    if (Object.keys(answer.trailers).length > 0) res.addTrailers(answer.trailers as http.OutgoingHttpHeaders);
  });
  (answer as NodeJS.ReadableStream).pipe(res as NodeJS.WritableStream);
}

function writeHead(exchange: Exchange, status: number, from: HeaderMap): void {
  let headers = endToEnd(from);
  for (const filter of exchange.plan.responseFilters) {
    if (filter.type === "responseHeaders") headers = changeHeaders(headers, filter.change);
  }
  const { res } = exchange;
  if (res instanceof http2.Http2ServerResponse) return void res.writeHead(status, headers as http2.OutgoingHttpHeaders);
  res.writeHead(status, headers as http.OutgoingHttpHeaders);
  res.flushHeaders();
}

async function overHttp2(exchange: Exchange, contexts: readonly ConnectionContext[]): Promise<void> {
  const { tools, plan, req, res } = exchange;
  const context = contexts[0];
  if (context === undefined) return fail(exchange, noContext(tools, plan));
  let session: http2.ClientHttp2Session;
  try {
    session = await tools.sessions.session(context, plan.target);
  } catch {
    return overHttp2(exchange, contexts.slice(1));
  }
  if (exchange.done) return;
  tools.balancer.served(context.service, sourceAddress(context.source), context.endpoint);
  const { host, ...rest } = plan.headers;
  const body = hasBody(req);
  const stream = session.request(
    {
      ...rest,
      ":method": req.method ?? "GET",
      ":path": plan.path,
      ":authority": String(host ?? ""),
      ":scheme": "http",
    } as http2.OutgoingHttpHeaders,
    { endStream: !body },
  );
  exchange.abort = () => stream.close(http2.constants.NGHTTP2_CANCEL);
  if (plan.backendTimeoutMs > 0) {
    stream.setTimeout(plan.backendTimeoutMs, () => {
      fail(exchange, tooSlow(plan));
      exchange.abort();
    });
  }
  stream.on("response", (headers) => {
    if (exchange.done) return stream.close();
    writeHead(exchange, Number(headers[":status"] ?? 502), headers as HeaderMap);
    stream.pipe(res as NodeJS.WritableStream);
  });
  stream.on("trailers", (trailers) => {
    const { [http2.sensitiveHeaders]: _, ...plain } = trailers as http2.IncomingHttpHeaders & {
      [http2.sensitiveHeaders]?: string[];
    };
    res.addTrailers(plain as http.OutgoingHttpHeaders);
  });
  stream.on("error", (error: Error) => {
    if (exchange.done) return;
    if (res.headersSent) res.destroy();
    else
      fail(
        exchange,
        gatewayFault(
          502,
          plan.target.service,
          `The endpoint ${context.endpoint.ip}:${context.endpoint.port} failed: ${error.message}.`,
        ),
      );
  });
  if (body) req.pipe(stream);
}

const MIRROR_BUFFER = 1024 * 1024;

/** Sends a copy and forgets the answer; a slow mirror loses its copy, the request waits for nothing. */
function mirrorRequest(
  tools: ProxyTools,
  mirror: ForwardPlan["mirrors"][number],
  plan: ForwardPlan,
  source: ConnectionSource,
  req: Incoming,
): void {
  if (tools.random() * mirror.denominator >= mirror.numerator) return;
  const context = contextsFor(tools, source, mirror.backend, plan.gateways)[0];
  if (context === undefined) return;
  const copy = nodeHttp().request(upstreamRequest(tools, plan, mirror.backend, context, req));
  copy.on("error", () => {});
  copy.on("response", (answer) => answer.resume());
  if (!hasBody(req)) return void copy.end();
  req.on("data", (chunk: Buffer) => {
    if (copy.writableLength > MIRROR_BUFFER) copy.destroy();
    else copy.write(chunk);
  });
  req.on("end", () => copy.end());
}
