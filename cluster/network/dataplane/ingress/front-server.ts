/**
 * The ingress's servers. A connection's first bytes say what it speaks: TLS (passed through by SNI, or ended
 * here), HTTP/2 with prior knowledge, or HTTP/1.1; so every port may take any of them.
 */
import { X509Certificate } from "node:crypto";
import type http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import tls from "node:tls";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { HostListener } from "../../config.ts";
import { connectService, type MayConnect } from "../connector.ts";
import { join } from "../pump.ts";
import { sourceOf } from "../service-proxy.ts";
import { serverNameOf } from "./client-hello.ts";
import { pickBackend } from "./filters.ts";
import { planRequest, requestedHost, type Entry, type Plan } from "./request-plan.ts";
import { proxyRequest } from "./proxy-request.ts";
import { sendPage } from "./send-page.ts";
import { proxyUpgrade, writePage } from "./upgrade.ts";
import type { Incoming, Outgoing, ProxyTools } from "./upstream-request.ts";
import { RouteTable, type Passthrough } from "./route-table.ts";

const FIRST_BYTES_TIMEOUT_MS = 30_000;
const MAX_HELLO = 64 * 1024;
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0");
const TLS_HANDSHAKE = 22;

/** How a listening socket of the ingress presents itself. */
export interface EntryPoint {
  readonly publicPort: number;
  readonly httpsPort: number;
  readonly tls: "only" | "never" | "either";
  readonly hostname?: string;
}

function isFor({ cert }: { cert: string }, name: string): boolean {
  try {
    return new X509Certificate(cert).checkHost(name) !== undefined;
  } catch {
    return false;
  }
}

export class FrontServer {
  readonly #tools: ProxyTools;
  readonly #plain: http.Server;
  readonly #plain2: http2.Http2Server;
  readonly #secure: http2.Http2SecureServer;
  readonly #entries = new Map<string, EntryPoint>();
  readonly #contexts = new Map<string, tls.SecureContext>();
  #table: RouteTable;

  constructor(tools: ProxyTools) {
    this.#tools = tools;
    const { settings } = tools.state;
    this.#table = new RouteTable([], settings.appsDomain);
    const timeouts = { requestTimeout: 0, keepAliveTimeout: 60_000 };
    this.#plain = nodeHttp().createServer(timeouts, (req, res) => this.#request(req, res, "http"));
    this.#plain2 = http2.createServer({}, (req, res) => this.#request(req, res, "http"));
    this.#secure = http2.createSecureServer(
      {
        ...settings.certificate,
        allowHTTP1: true,
        SNICallback: (name, done) => done(null, this.#contextFor(name)),
      },
      (req, res) => this.#request(req, res, "https"),
    );
    this.#plain.on("upgrade", (req: http.IncomingMessage, socket, head) =>
      this.#upgrade(req, socket as net.Socket, head, "http"),
    );
    this.#secure.on("upgrade", (req: http.IncomingMessage, socket: net.Socket, head: Buffer) =>
      this.#upgrade(req, socket, head, "https"),
    );
    for (const server of [this.#plain2, this.#secure]) server.on("sessionError", () => {});
    this.#secure.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#plain.on("clientError", (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
      else socket.destroy();
    });
  }

  /** Takes the fronts of the state as they are now. */
  refresh(): void {
    this.#table = new RouteTable(this.#tools.state.fronts.values(), this.#tools.state.settings.appsDomain);
    this.#contexts.clear();
  }

  /** Serves a listening socket of the host. */
  serve(server: net.Server, listener: Exclude<HostListener, { kind: "service" }>): void {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the ingress needs a listening TCP socket");
    const { publicPorts } = this.#tools.state.settings;
    const entry: EntryPoint =
      listener.kind === "host"
        ? { publicPort: address.port, httpsPort: address.port, tls: "either", hostname: listener.hostname }
        : {
            publicPort: address.port,
            httpsPort: publicPorts.https,
            tls: listener.kind === "https" ? "only" : "never",
          };
    this.#attach(server, `${address.address}:${address.port}`, entry);
  }

  /** Serves the pods at the gateway address, on the ports that URLs do not name. */
  serveInside(server: net.Server, address: string, port: 80 | 443): void {
    this.#attach(server, `${address}:${port}`, {
      publicPort: port,
      httpsPort: 443,
      tls: port === 443 ? "only" : "never",
    });
  }

  #attach(server: net.Server, key: string, entry: EntryPoint): void {
    this.#entries.set(key, entry);
    server.on("close", () => this.#entries.delete(key));
    server.on("connection", (socket: net.Socket) => this.accept(socket, entry));
  }

  /** Looks at the first bytes and hands the connection to who speaks its language. */
  accept(socket: net.Socket, entry: EntryPoint): void {
    let seen: Buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, () => socket.destroy());
    const onError = (): void => void socket.destroy();
    socket.on("error", onError);
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const target = this.#recognise(seen, entry, socket);
      if (target === undefined) return;
      socket.removeListener("data", onData);
      socket.pause();
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      if (target === "done") return;
      socket.removeListener("error", onError);
      socket.unshift(seen);
      target.emit("connection", socket);
      if (target === this.#plain) process.nextTick(() => socket.resume());
    };
    socket.on("data", onData);
  }

  #recognise(
    seen: Buffer,
    entry: EntryPoint,
    socket: net.Socket,
  ): net.Server | http.Server | http2.Http2Server | "done" | undefined {
    if (seen[0] === TLS_HANDSHAKE && entry.tls !== "never") return this.#recogniseTls(seen, entry, socket);
    if (entry.tls === "only") {
      socket.end(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nThis port speaks HTTPS: use https:// in the URL.\n",
      );
      return "done";
    }
    const head = seen.subarray(0, HTTP2_PREFACE.length);
    if (!HTTP2_PREFACE.subarray(0, head.length).equals(head)) return this.#plain;
    return head.length === HTTP2_PREFACE.length ? this.#plain2 : undefined;
  }

  #recogniseTls(seen: Buffer, entry: EntryPoint, socket: net.Socket): http2.Http2SecureServer | "done" | undefined {
    const hello = serverNameOf(seen);
    if (hello.kind === "need-more" && seen.length < MAX_HELLO) return undefined;
    const name = hello.kind === "name" ? hello.name : "";
    const through = this.#table.passthrough(requestedHost(name, { ...entry, scheme: "https" }));
    if (through === undefined) return this.#secure;
    // Not before the listener that looks at the first bytes is off the socket.
    if (through.kind === "terminated") process.nextTick(() => this.#endTls(socket, seen, name, through));
    else void this.#passThrough(socket, seen, through);
    return "done";
  }

  /** Ends TLS here and hands what is inside on, whatever it speaks. */
  #endTls(socket: net.Socket, seen: Buffer, name: string, through: Passthrough): void {
    socket.unshift(seen);
    const secureContext = this.#contextFor(name) ?? tls.createSecureContext(this.#tools.state.settings.certificate);
    const inner = new tls.TLSSocket(socket, { isServer: true, secureContext });
    inner.once("error", () => socket.destroy());
    inner.once("secure", () => void this.#passThrough(inner, Buffer.alloc(0), through));
  }

  async #passThrough(socket: net.Socket, seen: Buffer, { backends, gateways }: Passthrough): Promise<void> {
    socket.allowHalfOpen = true;
    const backend = pickBackend(backends, this.#tools.random);
    const target =
      backend?.kind === "service"
        ? this.#tools.state.servicePort(backend.target.service, backend.target.port)
        : undefined;
    if (target === undefined) return void socket.resetAndDestroy();
    const { balancer, connect, mayEnter } = this.#tools;
    const mayConnect: MayConnect = (_source, endpoint) => mayEnter(gateways, endpoint);
    const connection = await connectService({ balancer, connect, mayConnect }, this.#source(socket), target);
    if (connection === undefined) return void socket.destroy();
    if (socket.destroyed) return void connection.socket.destroy();
    if (seen.length > 0) connection.socket.write(seen);
    join(socket, connection.socket);
  }

  #source(socket: { remoteAddress?: string }): ReturnType<typeof sourceOf> {
    const source = sourceOf(this.#tools.state, socket.remoteAddress);
    return source.kind === "pod" ? source : { kind: "outside", via: "ingress" };
  }

  #contextFor(name: string): tls.SecureContext | undefined {
    const key = name.toLowerCase();
    const certificate = this.#table.certificate(key);
    // Only the cluster's own has the name that pods say, unless the host's was made for it.
    if (certificate === undefined || (this.#table.saidByPods(key) && !isFor(certificate, key))) return undefined;
    let context = this.#contexts.get(key);
    if (context === undefined) {
      try {
        context = tls.createSecureContext(certificate);
      } catch {
        // Thrown within a handshake this would end the process: the cluster's own certificate answers.
        return undefined;
      }
      this.#contexts.set(key, context);
    }
    return context;
  }

  #plan(req: Incoming, scheme: "http" | "https"): Plan {
    const { socket } = req;
    const point = this.#entries.get(`${socket.localAddress ?? ""}:${socket.localPort ?? 0}`);
    const { publicPorts } = this.#tools.state.settings;
    const entry: Entry = {
      scheme,
      ...(point ?? { publicPort: publicPorts[scheme], httpsPort: publicPorts.https }),
    };
    const authority = req instanceof http2.Http2ServerRequest ? req.authority || req.headers.host : req.headers.host;
    return planRequest(
      { table: this.#table, clusterName: this.#tools.state.settings.clusterName, random: this.#tools.random },
      {
        method: req.method ?? "GET",
        url: req.url ?? "/",
        authority: authority ?? "",
        headers: req.headers,
        remoteAddress: socket.remoteAddress ?? "",
      },
      entry,
    );
  }

  #request(req: Incoming, res: Outgoing, scheme: "http" | "https"): void {
    const plan = this.#plan(req, scheme);
    switch (plan.kind) {
      case "page":
        req.resume();
        return sendPage(res, plan.page, req.headers);
      case "redirect":
        req.resume();
        res.statusCode = plan.status;
        res.setHeader("location", plan.location);
        return void res.end();
      case "answer":
        req.resume();
        res.statusCode = plan.status;
        for (const [name, value] of Object.entries(plan.headers)) res.setHeader(name, value);
        return void res.end();
      case "forward":
        return proxyRequest(this.#tools, plan, this.#source(req.socket), req, res);
    }
  }

  #upgrade(req: http.IncomingMessage, socket: net.Socket, head: Buffer, scheme: "http" | "https"): void {
    const plan = this.#plan(req, scheme);
    if (plan.kind === "forward") return proxyUpgrade(this.#tools, plan, this.#source(socket), req, socket, head);
    if (plan.kind === "page") return writePage(socket, plan.page, req.headers.accept);
    const extra = plan.kind === "redirect" ? `location: ${plan.location}\r\n` : "";
    socket.end(`HTTP/1.1 ${plan.status} Redirect\r\n${extra}content-length: 0\r\nconnection: close\r\n\r\n`);
  }

  close(): void {
    this.#plain.closeAllConnections();
    this.#tools.agent.destroy();
    this.#tools.sessions.close();
  }
}
