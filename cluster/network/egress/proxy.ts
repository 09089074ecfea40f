/**
 * The pods' way out: an HTTP proxy (CONNECT and absolute URLs) in the cluster process. Names of the cluster go
 * back into the pods' network, with their source; this machine's own loopback stays out of the pods' reach.
 */
import type http from "node:http";
import dns from "node:dns/promises";
import net from "node:net";
import type { Duplex } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";

/** Where on this machine a name leads, and the address that NetworkPolicies know it by. */
export interface MappedAddress {
  readonly host: string;
  readonly port: number;
  readonly judgedAs: string;
}

/** Stands for this machine where NetworkPolicies ask for an address: only a rule that lets out everywhere has it. */
export const ELSEWHERE = "192.0.2.1";

export interface EgressOptions {
  /** Connects inside the cluster; rejects with code EOUTSIDE for what is not of it. */
  readonly dial: (host: string, port: number, source: string | undefined) => Promise<Duplex>;
  /** Addresses on this machine that pods may reach after all: other clusters' APIs and hosts. */
  readonly map?: (host: string, port: number) => MappedAddress | undefined;
}

const isLoopback = (address: string): boolean =>
  /^(127\.|0\.|169\.254\.)/.test(address) ||
  address === "::1" ||
  address === "::" ||
  /^::ffff:(127|0)\./.test(address) ||
  /^fe80:/i.test(address);

async function connectTo(
  options: EgressOptions,
  host: string,
  port: number,
  source: string | undefined,
): Promise<Duplex> {
  const mapped = options.map?.(host, port);
  try {
    return await options.dial(mapped?.judgedAs ?? host, port, source);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERESOLVE") return connectAllowed(options, host, port, source);
    if (code !== "EOUTSIDE") throw error;
  }
  return mapped === undefined ? connectOutside(host, port, false) : connectOutside(mapped.host, mapped.port, true);
}

/** For a pod that NetworkPolicies hold back: to the first of the name's addresses that they let it reach. */
async function connectAllowed(
  options: EgressOptions,
  host: string,
  port: number,
  source: string | undefined,
): Promise<Duplex> {
  let refused: unknown = new Error(`${host} has no IPv4 address`);
  for (const { address } of await dns.lookup(host, { all: true, family: 4 })) {
    try {
      return await options.dial(address, port, source);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EOUTSIDE") return connectOutside(address, port, false);
      refused = error;
    }
  }
  throw refused;
}

function connectOutside(host: string, port: number, loopbackAllowed: boolean): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const refuse = (): Error =>
      Object.assign(new Error(`${host} is this machine's own loopback, which pods cannot reach`), {
        code: "EACCES",
      });
    if (!loopbackAllowed && (isLoopback(host) || host === "localhost")) return reject(refuse());
    const socket = net.connect({ host, port, allowHalfOpen: true });
    socket.setTimeout(10_000, () =>
      socket.destroy(Object.assign(new Error(`${host}:${port} did not answer in 10 s`), { code: "ETIMEDOUT" })),
    );
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      // A public name may resolve to loopback.
      if (!loopbackAllowed && isLoopback(socket.remoteAddress ?? "")) {
        socket.destroy();
        return reject(refuse());
      }
      resolve(socket);
    });
  });
}

const statusFor = (error: unknown): number => {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPOLICY" ? 403 : code === "ETIMEDOUT" ? 504 : 502;
};

const sourceOf = (socket: { remoteAddress?: string }): string | undefined =>
  socket.remoteAddress?.replace(/^::ffff:/, "");

/** Serves the proxy on a listening socket inside the pods' network. */
export function serveEgress(server: net.Server, options: EgressOptions): { close(): void } {
  const proxy = nodeHttp().createServer({ requestTimeout: 0 }, (req, res) => {
    forward(options, req, res).catch((error: unknown) => {
      if (res.headersSent) return void res.destroy();
      res
        .writeHead(statusFor(error), { "content-type": "text/plain" })
        .end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  proxy.on("connect", (req: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    tunnel(options, req, socket, head).catch((error: unknown) => {
      const text = `${error instanceof Error ? error.message : String(error)}\n`;
      const status = statusFor(error);
      socket.end(
        `HTTP/1.1 ${status} ${nodeHttp().STATUS_CODES[status] ?? ""}\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
      );
    });
  });
  proxy.on("clientError", (_error, socket) => socket.destroy());
  server.on("connection", (socket: net.Socket) => proxy.emit("connection", socket));
  return {
    close() {
      server.close();
      proxy.closeAllConnections();
    },
  };
}

function splitAuthority(authority: string, fallback: number): { host: string; port: number } {
  const url = new URL(`http://${authority}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? fallback : Number(url.port) };
}

async function tunnel(
  options: EgressOptions,
  req: http.IncomingMessage,
  socket: net.Socket,
  head: Buffer,
): Promise<void> {
  const { host, port } = splitAuthority(req.url ?? "", 443);
  const upstream = await connectTo(options, host, port, sourceOf(socket));
  if (socket.destroyed) return void upstream.destroy();
  socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
  if (head.length > 0) upstream.write(head);
  upstream.on("error", () => socket.destroy());
  upstream.on("close", () => socket.destroySoon());
  socket.on("close", () => upstream.destroy());
  socket.pipe(upstream);
  upstream.pipe(socket);
}

async function forward(options: EgressOptions, req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  if (!/^http:\/\//i.test(req.url ?? "")) {
    return void res
      .writeHead(400, { "content-type": "text/plain" })
      .end("This is the pods' HTTP proxy: it takes CONNECT and absolute http:// URLs.\n");
  }
  const url = new URL(req.url ?? "");
  const { host, port } = splitAuthority(url.host, 80);
  const socket = await connectTo(options, host, port, sourceOf(req.socket));
  const { "proxy-connection": _a, "proxy-authorization": _b, connection: _c, ...headers } = req.headers;
  const upstream = nodeHttp().request(
    {
      method: req.method ?? "GET",
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host, connection: "close" },
      createConnection: () => socket,
      setDefaultHeaders: false,
    },
    (answer) => {
      const { connection: _d, "keep-alive": _e, ...rest } = answer.headers;
      res.writeHead(answer.statusCode ?? 502, rest);
      answer.pipe(res);
    },
  );
  upstream.on("error", (error) => {
    if (res.headersSent) res.destroy();
    else res.writeHead(502, { "content-type": "text/plain" }).end(`${error.message}\n`);
  });
  res.on("close", () => upstream.destroy());
  req.pipe(upstream);
}
