/** Copies of requests for mirrors: the answer is forgotten, a slow mirror loses its copy, the request waits for nothing. */
import http2 from "node:http2";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { ConnectionContext, ConnectionSource } from "../connector.ts";
import type { ForwardPlan } from "./request-plan.ts";
import {
  contextsFor,
  hasBody,
  http2Head,
  upstreamRequest,
  type Incoming,
  type ProxyTools,
} from "./upstream-request.ts";

const MIRROR_BUFFER = 1024 * 1024;

export interface MirrorCopy {
  /** The body flows now; `undefined`: there is none. */
  start(body: Readable | undefined): void;
  /** There will be no body. */
  drop(): void;
}

/** Opens a copy, where this request is one of those to copy and there is an endpoint for it. */
export function openMirror(
  tools: ProxyTools,
  mirror: ForwardPlan["mirrors"][number],
  plan: ForwardPlan,
  source: ConnectionSource,
  req: Incoming,
): MirrorCopy | undefined {
  if (tools.random() * mirror.denominator >= mirror.numerator) return undefined;
  const context = contextsFor(tools, source, mirror.backend, plan.gateways)[0];
  if (context === undefined) return undefined;
  const open = mirror.backend.protocol === "h2c" ? openHttp2 : openHttp1;
  const copy = open(tools, mirror.backend, plan, context, req);
  return { start: (body) => feed(copy, body), drop: () => void copy.destroy() };
}

function feed(copy: Writable, body: Readable | undefined): void {
  if (body === undefined) return void copy.end();
  body.on("data", (chunk: Buffer) => {
    if (copy.destroyed) return;
    if (copy.writableLength > MIRROR_BUFFER) copy.destroy(new Error("the mirror is too slow"));
    else copy.write(chunk);
  });
  body.on("end", () => copy.end());
  body.on("close", () => {
    if (!copy.writableEnded) copy.destroy();
  });
}

function openHttp1(
  tools: ProxyTools,
  target: ForwardPlan["target"],
  plan: ForwardPlan,
  context: ConnectionContext,
  req: Incoming,
): Writable {
  const copy = nodeHttp().request(upstreamRequest(tools, plan, target, context, req));
  copy.on("error", () => {});
  copy.on("response", (answer) => answer.resume());
  return copy;
}

/** What comes before the session is there waits in a stream of its own. */
function openHttp2(
  tools: ProxyTools,
  target: ForwardPlan["target"],
  plan: ForwardPlan,
  context: ConnectionContext,
  req: Incoming,
): Writable {
  const copy = new PassThrough({ highWaterMark: MIRROR_BUFFER });
  let stream: http2.ClientHttp2Stream | undefined;
  copy.on("error", () => stream?.close(http2.constants.NGHTTP2_CANCEL));
  tools.sessions.session(context, target).then(
    (session) => {
      if (copy.destroyed) return;
      stream = session.request(http2Head(plan, req), { endStream: !hasBody(req) });
      stream.on("error", () => {});
      stream.resume();
      if (hasBody(req)) copy.pipe(stream);
      else copy.resume();
    },
    () => copy.destroy(),
  );
  return copy;
}
