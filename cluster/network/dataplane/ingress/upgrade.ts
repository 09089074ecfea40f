/** WebSocket and other HTTP/1.1 upgrades: the handshake is carried, then the two sockets are joined. */
import type http from "node:http";
import type { Duplex } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { ConnectionContext, ConnectionSource } from "../connector.ts";
import { join } from "../pump.ts";
import { renderPage, type Page } from "./pages.ts";
import { noContext } from "./proxy-request.ts";
import { contextsFor, type ProxyTools } from "./upstream-request.ts";
import type { ForwardPlan } from "./request-plan.ts";
import type { UpstreamRequestOptions } from "./upstream.ts";

export function writePage(socket: Duplex, page: Page, accept: string | undefined): void {
  const { type, body } = renderPage(page, accept);
  socket.end(
    `HTTP/1.1 ${page.status} ${nodeHttp().STATUS_CODES[page.status] ?? ""}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

export function proxyUpgrade(
  tools: ProxyTools,
  plan: ForwardPlan,
  source: ConnectionSource,
  req: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on("error", () => socket.destroy());
  attempt(tools, plan, contextsFor(tools, source, plan.target, plan.gateways), req, socket, head);
}

function attempt(
  tools: ProxyTools,
  plan: ForwardPlan,
  contexts: readonly ConnectionContext[],
  req: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const context = contexts[0];
  if (context === undefined) return writePage(socket, noContext(tools, plan), req.headers.accept);
  const upstream = nodeHttp().request({
    host: context.endpoint.ip,
    port: context.endpoint.port,
    method: req.method ?? "GET",
    path: plan.path,
    headers: {
      ...plan.headers,
      connection: "Upgrade",
      upgrade: req.headers.upgrade ?? "websocket",
    } as http.OutgoingHttpHeaders,
    agent: tools.agent,
    context,
    target: plan.target,
    setDefaultHeaders: false,
  } as UpstreamRequestOptions);
  let connected = false;
  upstream.once("socket", () => (connected = true));
  upstream.once("error", () => {
    if (connected) socket.destroy();
    else attempt(tools, plan, contexts.slice(1), req, socket, head);
  });
  upstream.once("upgrade", (answer, backend, first) => {
    socket.write(rawHead(answer));
    if (first.length > 0) socket.write(first);
    if (head.length > 0) backend.write(head);
    join(socket, backend);
  });
  upstream.once("response", (answer) => {
    socket.write(rawHead(answer, "connection: close\r\n"));
    answer.pipe(socket);
  });
  socket.once("close", () => upstream.destroy());
  upstream.end();
}

/** Status line and headers as the backend sent them; an answer that is no upgrade ends the connection. */
function rawHead(answer: http.IncomingMessage, extra = ""): string {
  const upgrade = extra === "";
  const lines = [`HTTP/1.1 ${answer.statusCode ?? 502} ${answer.statusMessage ?? ""}`];
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i] ?? "";
    if (!upgrade && /^(connection|transfer-encoding|keep-alive)$/i.test(name)) continue;
    lines.push(`${name}: ${answer.rawHeaders[i + 1] ?? ""}`);
  }
  return `${lines.join("\r\n")}\r\n${extra}\r\n`;
}
