/** HTTP: `/api/webhook` (a push happened), `/healthz`, `/metrics`. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { nodeHttp } from "@travelops/kube/api/node-http";
import { isAuthentic, pushedRepositories } from "./push-event.ts";

export interface WebhookOptions {
  /** Read at each call, so that a rotated secret is obeyed. */
  secret: () => Promise<string | undefined>;
  onPush: (repositories: string[]) => void;
  isReady: () => boolean;
  metrics: () => string;
}

const MAX_BODY = 50 << 20;

export function createWebhookServer(options: WebhookOptions): Server {
  return nodeHttp().createServer((request, response) => {
    answer(options, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500).end("internal error\n");
    });
  });
}

async function answer(options: WebhookOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?")[0];
  if (path === "/healthz")
    return void response.writeHead(options.isReady() ? 200 : 503).end(options.isReady() ? "ok\n" : "starting\n");
  if (path === "/metrics")
    return void response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(options.metrics());
  if (path !== "/api/webhook")
    return void response.writeHead(404).end("only /api/webhook, /healthz and /metrics are served here\n");
  if (request.method !== "POST") return void response.writeHead(405, { allow: "POST" }).end("POST is expected\n");
  const body = await readBody(request);
  if (body === undefined) return void response.writeHead(413).end("the payload is too large\n");
  if (!isAuthentic(request.headers, body, await options.secret()))
    return void response.writeHead(401).end("the signature does not match the webhook's secret\n");
  const repositories = pushedRepositories(parse(body));
  if (repositories.length === 0) return void response.writeHead(400).end("the payload names no repository\n");
  options.onPush(repositories);
  response.writeHead(200).end("ok\n");
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
