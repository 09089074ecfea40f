/** Answers a request with a page of the ingress's own: as HTML, as text, or as a status of gRPC. */
import http2 from "node:http2";
import type { HeaderMap } from "./filters.ts";
import { renderPage, type Page } from "./pages.ts";
import type { Outgoing } from "./upstream-request.ts";

export const isGrpc = (headers: HeaderMap): boolean =>
  String(headers["content-type"] ?? "").startsWith("application/grpc");

const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;

export function sendPage(res: Outgoing, page: Page, request: HeaderMap): void {
  if (res.headersSent) return void res.destroy();
  if (isGrpc(request) && res instanceof http2.Http2ServerResponse) return sendStatus(res, page);
  const { type, body } = renderPage(page, String(request["accept"] ?? ""));
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(body),
  };
  if (res instanceof http2.Http2ServerResponse) res.writeHead(page.status, headers).end(body);
  else res.writeHead(page.status, headers).end(body);
}

/** What no rule takes is a method that there is not; everything else may be there later. */
function sendStatus(res: http2.Http2ServerResponse, page: Page): void {
  res
    .writeHead(200, {
      "content-type": "application/grpc",
      "grpc-status": String(page.status === 404 ? UNIMPLEMENTED : UNAVAILABLE),
      "grpc-message": encodeURIComponent([page.title, ...page.lines].join(". ")),
    })
    .end();
}
