/** Carries one request to an endpoint and its answer back, over HTTP/1.1 or HTTP/2 on either side. */
import type http from "node:http";
import http2 from "node:http2";
import type { Writable } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";
import { sourceAddress, type ConnectionContext, type ConnectionSource } from "../connector.ts";
import { changeHeaders, endToEnd, type HeaderMap } from "./filters.ts";
import { gatewayFault, heldBack, noEndpoint, type Page } from "./pages.ts";
import { openMirror, type MirrorCopy } from "./mirror.ts";
import { isGrpc, sendPage } from "./send-page.ts";
import type { ForwardPlan } from "./request-plan.ts";
import {
  contextsFor,
  hasBody,
  http2Head,
  upstreamRequest,
  type Incoming,
  type Outgoing,
  type ProxyTools,
} from "./upstream-request.ts";

/** Why there is no endpoint to try (any more). */
export function noContext({ state, mayEnter }: ProxyTools, { target, gateways, owner }: ForwardPlan): Page {
  const ready = state.servicePort(target.service, target.port)?.port.endpoints.filter((e) => e.ready) ?? [];
  const held = ready.length > 0 && !ready.some((e) => mayEnter(gateways, e));
  return (held ? heldBack : noEndpoint)(target.service, target.port, owner);
}

/** Serves one forward plan. */
export function proxyRequest(
  tools: ProxyTools,
  plan: ForwardPlan,
  source: ConnectionSource,
  req: Incoming,
  res: Outgoing,
): void {
  const contexts = contextsFor(tools, source, plan.target, plan.gateways);
  req.on("error", () => {});
  res.on("error", () => {});
  const copies = plan.mirrors.flatMap((mirror) => openMirror(tools, mirror, plan, source, req) ?? []);
  const exchange: Exchange = { tools, plan, req, res, copies, done: false, abort: () => {} };
  if (plan.requestTimeoutMs > 0) armTimeout(exchange, plan.requestTimeoutMs);
  res.on("close", () => {
    if (!res.writableFinished) exchange.abort();
    exchange.done = true;
    for (const copy of exchange.copies.splice(0)) copy.drop();
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
  /** Mirrors that wait for the body: it flows once, when the endpoint is there to take it. */
  readonly copies: MirrorCopy[];
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
  sendPage(exchange.res, page, exchange.req.headers);
}

/** Nobody is left to try; `last` says why the one before took no connection: refused, or not the certificate it should have. */
function failWithout({ plan, tools }: Exchange, last: Error | undefined): Page {
  const page = noContext(tools, plan);
  return last === undefined
    ? page
    : { ...page, lines: [...page.lines, `The last endpoint tried took no connection: ${last.message}.`] };
}

function overHttp1(exchange: Exchange, contexts: readonly ConnectionContext[], last?: Error): void {
  const { tools, plan, req } = exchange;
  const context = contexts[0];
  if (context === undefined) return fail(exchange, failWithout(exchange, last));
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
    sendBody(exchange, upstream);
  });
  upstream.once("response", (answer) => passAnswer(exchange, answer));
  upstream.once("error", (error: NodeJS.ErrnoException) => {
    if (exchange.done) return;
    if (exchange.res.headersSent) return void exchange.res.destroy();
    if (!started) return overHttp1(exchange, contexts.slice(1), error);
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

async function overHttp2(exchange: Exchange, contexts: readonly ConnectionContext[], last?: Error): Promise<void> {
  const { tools, plan, req, res } = exchange;
  const context = contexts[0];
  if (context === undefined) return fail(exchange, failWithout(exchange, last));
  let session: http2.ClientHttp2Session;
  try {
    session = await tools.sessions.session(context, plan.target);
  } catch (error) {
    return overHttp2(exchange, contexts.slice(1), error instanceof Error ? error : undefined);
  }
  if (exchange.done) return;
  tools.balancer.served(context.service, sourceAddress(context.source), context.endpoint);
  const stream = session.request(http2Head(plan, req), { endStream: !hasBody(req) });
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
  sendBody(exchange, stream);
}

/** To the endpoint and to all mirrors at once: whoever came later would miss what flowed before. */
function sendBody({ req, copies }: Exchange, to: Writable): void {
  const body = hasBody(req);
  if (body) req.pipe(to);
  else if (!to.writableEnded) to.end();
  for (const copy of copies.splice(0)) copy.start(body ? req : undefined);
}
