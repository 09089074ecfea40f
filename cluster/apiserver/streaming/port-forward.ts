/** port-forward: SPDY/3.1 inside a WebSocket (kubectl), and plain channels (other clients). */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { NodeAccess } from "../api-server.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { acceptSocket, sendTo } from "./accept-socket.ts";
import { framed } from "./remote-command.ts";
import { SpdySession, type SpdyStream, type SpdyWire } from "./spdy-session.ts";

export const TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io";
export const CHANNEL_PROTOCOLS = ["v4.channel.k8s.io", "v5.channel.k8s.io"] as const;

export interface PortForward {
  readonly info: ResourceRequest;
  readonly query: URLSearchParams;
  readonly protocol: string;
  readonly nodes: NodeAccess;
}

export async function servePortForward(
  forward: PortForward,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const ws = await acceptSocket(req, socket, head, forward.protocol);
  ws.on("error", () => {});
  if (forward.protocol === TUNNEL_PROTOCOL) serveTunnel(forward, ws);
  else await serveChannels(forward, ws);
}

/** SPDY frames in the messages of a WebSocket. */
function serveTunnel(forward: PortForward, ws: WebSocket): void {
  const session = forwardOver(forward, { send: (bytes) => sendTo(ws, bytes), close: () => ws.close(1000) });
  ws.on("message", (bytes: Buffer) => {
    ws.pause();
    void session.receive(bytes).finally(() => ws.resume());
  });
  ws.on("close", () => session.close());
}

/** A connection is a pair of streams with one request id: `error` comes first, then `data`. */
export function forwardOver({ info, nodes }: Pick<PortForward, "info" | "nodes">, wire: SpdyWire): SpdySession {
  const errors = new Map<string, SpdyStream>();
  const session = new SpdySession(wire, (stream) => {
    const id = stream.headers.get("requestid") ?? String(stream.id);
    if (stream.headers.get("streamtype") === "error") {
      errors.set(id, stream);
      stream.resume();
      stream.once("close", () => errors.delete(id));
      return;
    }
    const port = Number(stream.headers.get("port"));
    void connect(stream, errors.get(id), port);
  });
  const connect = async (data: SpdyStream, error: SpdyStream | undefined, port: number): Promise<void> => {
    try {
      const upstream = await nodes.dial({ namespace: info.namespace, name: info.name }, port);
      join(data, upstream, () => error?.end());
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      error?.end(`error forwarding port ${port} to pod ${info.name}: ${message}`);
      data.end();
    }
  };
  return session;
}

/** Both ways, with half-closing; `done` is called once when both are over. */
function join(a: Duplex, b: Duplex, done: () => void): void {
  let open = 2;
  const over = (): void => {
    if (--open === 0) done();
  };
  a.pipe(b);
  b.pipe(a);
  a.once("close", () => b.destroy());
  b.once("error", () => a.end());
  a.once("end", over);
  b.once("close", over);
}

/** `ports=8080`: channel 2i carries the data of the i-th port, 2i+1 its errors; each begins with the port's number. */
async function serveChannels({ info, query, nodes }: PortForward, ws: WebSocket): Promise<void> {
  const ports = query
    .getAll("ports")
    .flatMap((text) => text.split(","))
    .map(Number);
  if (ports.length === 0 || ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65535)) {
    ws.close(1008, 'query parameter "ports" is required');
    return;
  }
  const upstreams: (Duplex | undefined)[] = [];
  ws.on("close", () => {
    for (const upstream of upstreams) upstream?.destroy();
  });
  ws.on("message", (data: Buffer) => {
    const channel = data[0] ?? 0;
    const upstream = channel % 2 === 0 ? upstreams[channel / 2] : undefined;
    if (upstream === undefined || upstream.write(data.subarray(1))) return;
    ws.pause();
    upstream.once("drain", () => ws.resume());
  });
  ws.pause();
  await Promise.all(ports.map((port, index) => openChannel({ info, nodes, ws, port, index, upstreams })));
  ws.resume();
}

interface Channel {
  readonly info: ResourceRequest;
  readonly nodes: NodeAccess;
  readonly ws: WebSocket;
  readonly port: number;
  readonly index: number;
  readonly upstreams: (Duplex | undefined)[];
}

async function openChannel({ info, nodes, ws, port, index, upstreams }: Channel): Promise<void> {
  const number = Buffer.from([port & 255, port >> 8]);
  await sendTo(ws, framed(index * 2, number));
  await sendTo(ws, framed(index * 2 + 1, number));
  try {
    const upstream = await nodes.dial({ namespace: info.namespace, name: info.name }, port);
    upstreams[index] = upstream;
    upstream.on("error", () => {});
    upstream.on("data", (chunk: Buffer) => {
      upstream.pause();
      void sendTo(ws, framed(index * 2, chunk)).then(() => upstream.resume());
    });
    upstream.on("close", () => {
      upstreams[index] = undefined;
      if (upstreams.every((one) => one === undefined)) ws.close(1000);
    });
  } catch (error) {
    await sendTo(
      ws,
      framed(
        index * 2 + 1,
        Buffer.from(
          `error forwarding port ${port} to pod ${info.name}: ${error instanceof Error ? error.message : String(error)}`,
        ),
      ),
    );
  }
}
