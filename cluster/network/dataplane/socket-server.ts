/**
 * The dataplane's unix socket. The first line of a connection says what it is for:
 *   {"dial":["10.128.0.5",8080]}  → `{"ok":true}` and then the bytes of that connection, or `{"error":…,"code":…}`
 *   {"pod":"10.128.0.5","namespace":"shop"}  → a session of the bare sandbox's preload: one JSON request and answer a line
 */
import fs from "node:fs";
import net from "node:net";
import type { Duplex } from "node:stream";
import type { RecordType } from "dns-packet";
import { join } from "./pump.ts";
import type { BareRegistry, RealAddress } from "./bare-registry.ts";

const MAX_LINE = 16 * 1024;

export interface SocketServerOptions {
  readonly path: string;
  /** Opens a connection for the API server, to a pod or a ClusterIP; `source` names a pod that asks through a proxy. */
  readonly dial: (ip: string, port: number, source: string | undefined) => Promise<Duplex>;
  readonly bare: BareRegistry | undefined;
  /** Resolves a name as a pod of the namespace would. */
  readonly resolve: (name: string, type: RecordType, namespace: string, podIP: string) => Promise<ResolveResult>;
  readonly log: (message: string) => void;
}

export type ResolveResult =
  | { readonly kind: "records"; readonly records: readonly unknown[] }
  | { readonly kind: "nodata" | "nxdomain" }
  /** A NetworkPolicy keeps the pod from DNS. */
  | { readonly kind: "denied" }
  /** Not a name of the cluster. */
  | { readonly kind: "outside" };

type Hello =
  | { readonly dial: readonly [string, number]; readonly source?: string }
  | { readonly pod: string; readonly namespace: string };

type PodRequest =
  | { readonly id: number; readonly connect: readonly [string, number] }
  | { readonly id: number; readonly own: number }
  | { readonly id: number; readonly listen: number; readonly real: RealAddress; readonly loopback: boolean }
  | { readonly id: number; readonly close: number; readonly real: RealAddress }
  | { readonly id: number; readonly dns: string; readonly type: RecordType };

export interface SocketServer {
  close(): void;
}

export async function startSocketServer(options: SocketServerOptions): Promise<SocketServer> {
  fs.rmSync(options.path, { force: true });
  const server = net.createServer({ allowHalfOpen: true }, (socket) => greet(options, socket));
  server.on("error", (error) => options.log(`dataplane socket: ${error.message}`));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(options.path, resolve));
  fs.chmodSync(options.path, 0o600);
  return {
    close() {
      server.close();
      fs.rmSync(options.path, { force: true });
    },
  };
}

function greet(options: SocketServerOptions, socket: net.Socket): void {
  socket.on("error", () => socket.destroy());
  let buffered = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    buffered = Buffer.concat([buffered, chunk]);
    const end = buffered.indexOf(10);
    if (end < 0) return void (buffered.length > MAX_LINE && socket.destroy());
    socket.removeListener("data", onData);
    socket.pause();
    const hello = parse<Hello>(buffered.subarray(0, end));
    const rest = buffered.subarray(end + 1);
    if (hello === undefined) return void socket.end(line({ error: "the first line is not a known JSON request" }));
    if (rest.length > 0) socket.unshift(rest);
    if ("dial" in hello) void serveDial(options, socket, hello.dial, hello.source);
    else servePod(options, socket, hello.pod, hello.namespace);
  };
  socket.on("data", onData);
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

function parse<T>(bytes: Buffer): T | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}

async function serveDial(
  options: SocketServerOptions,
  socket: net.Socket,
  [ip, port]: readonly [string, number],
  source?: string,
): Promise<void> {
  try {
    const upstream = await options.dial(ip, port, source);
    if (socket.destroyed) return void upstream.destroy();
    socket.write(line({ ok: true }));
    join(socket, upstream);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    socket.end(line({ error: message, code: code ?? "ECONNREFUSED" }));
  }
}

function servePod(options: SocketServerOptions, socket: net.Socket, podIP: string, namespace: string): void {
  const { bare } = options;
  if (bare === undefined)
    return void socket.end(
      line({
        error: "this cluster's pods have namespaces of their own; the preload is for the bare sandbox",
      }),
    );
  const held: { port: number; real: RealAddress }[] = [];
  let buffered = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    buffered += chunk;
    const lines = buffered.split("\n");
    buffered = lines.pop() ?? "";
    for (const text of lines) {
      const request = parse<PodRequest>(Buffer.from(text));
      if (request === undefined) return void socket.destroy();
      void answerPod(options, bare, podIP, namespace, held, request).then((answer) => {
        if (!socket.destroyed) socket.write(line({ id: request.id, ...answer }));
      });
    }
  });
  socket.on("end", () => socket.end());
  socket.on("close", () => {
    for (const { port, real } of held) bare.unregister(podIP, port, real);
  });
  socket.resume();
}

async function answerPod(
  options: SocketServerOptions,
  bare: BareRegistry,
  podIP: string,
  namespace: string,
  held: { port: number; real: RealAddress }[],
  request: PodRequest,
): Promise<Record<string, unknown>> {
  try {
    if ("listen" in request) {
      if (!bare.register(podIP, request.listen, request.real, request.loopback)) return { code: "EADDRINUSE" };
      held.push({ port: request.listen, real: request.real });
      return { ok: true };
    }
    if ("close" in request) {
      const index = held.findIndex((h) => h.port === request.close && h.real.port === request.real.port);
      if (index >= 0) held.splice(index, 1);
      if (index >= 0) bare.unregister(podIP, request.close, request.real);
      return { ok: true };
    }
    if ("own" in request) return found(bare.own(podIP, request.own));
    if ("connect" in request) return await connectFor(options, bare, podIP, namespace, request.connect);
    return { ...(await options.resolve(request.dns, request.type, namespace, podIP)) };
  } catch (error) {
    options.log(`bare pod ${podIP}: ${error instanceof Error ? error.message : String(error)}`);
    return { code: "ECONNREFUSED" };
  }
}

const found = (real: RealAddress | undefined): Record<string, unknown> =>
  real === undefined ? { code: "ECONNREFUSED" } : { real };

async function connectFor(
  options: SocketServerOptions,
  bare: BareRegistry,
  podIP: string,
  namespace: string,
  [host, port]: readonly [string, number],
): Promise<Record<string, unknown>> {
  let ip = host;
  if (net.isIP(host) === 0) {
    const result = await options.resolve(host, "A", namespace, podIP);
    if (result.kind === "denied") return { code: "EAI_AGAIN" };
    const held = bare.holdsBack(podIP) ? { held: true } : {};
    if (result.kind === "outside") return { outside: true, ...held };
    const first = result.kind === "records" ? result.records[0] : undefined;
    if (typeof first === "object" && first !== null && "cname" in first)
      return { outside: true, host: first.cname, ...held };
    if (typeof first !== "string") return { code: "ENOTFOUND" };
    ip = first;
  }
  const way = await bare.route(podIP, ip, port);
  switch (way.kind) {
    case "here":
      return { real: way.real };
    case "nothing":
      return { code: "ECONNREFUSED" };
    case "denied":
      return { code: "ETIMEDOUT" };
    case "outside":
      return { outside: true, host: ip };
  }
}
