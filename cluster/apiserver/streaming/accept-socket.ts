/** Accepts a WebSocket with one of the subprotocols that a streaming endpoint speaks. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";

/** A message may be as large as a client's largest write; kubectl stays below 64 KiB. */
const MAX_PAYLOAD = 8 * 1024 * 1024;

export function offeredProtocols(req: IncomingMessage): string[] {
  return (req.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

export const isWebSocket = (req: IncomingMessage): boolean => req.headers.upgrade?.toLowerCase() === "websocket";

/**
 * Rejects when the handshake fails (the client has then been answered). `protocol` goes back to the client as it is:
 * `ws` would refuse names with a slash, which Kubernetes uses, so it does not get to see the header.
 */
export function acceptSocket(req: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD, perMessageDeflate: false });
  delete req.headers["sec-websocket-protocol"];
  server.on("headers", (headers) => {
    headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  return new Promise((resolve, reject) => {
    server.on("wsClientError", (error) => {
      socket.destroy();
      reject(error);
    });
    server.handleUpgrade(req, socket, head, (ws) => {
      ws.binaryType = "nodebuffer";
      resolve(ws);
    });
  });
}

/** How much may wait to be sent before whoever produces it is held back. */
const HIGH_WATER = 1024 * 1024;

/** Sends; resolves at once while little is waiting, else when it has gone out. */
export function sendTo(ws: WebSocket, data: Buffer): Promise<void> {
  if (ws.readyState !== ws.OPEN) return Promise.resolve();
  return new Promise((resolve) => {
    const sent = (): void => resolve();
    ws.send(data, { binary: true }, sent);
    if (ws.bufferedAmount < HIGH_WATER) resolve();
  });
}
