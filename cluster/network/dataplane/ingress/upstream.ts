/** Connections from the ingress to endpoints: kept HTTP/1.1 sockets and HTTP/2 sessions, one pool a source, Service and endpoint. */
import type http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import type { Duplex } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { BackendTarget } from "../../config.ts";
import { sourceAddress, type Connect, type ConnectionContext } from "../connector.ts";

const IDLE_MS = 60_000;

export interface UpstreamRequestOptions extends http.RequestOptions {
  readonly context: ConnectionContext;
  readonly target: BackendTarget;
}

const poolKey = (context: ConnectionContext, target: BackendTarget): string =>
  [
    sourceAddress(context.source) ?? "",
    target.service,
    `${context.endpoint.ip}:${context.endpoint.port}`,
    target.tls === undefined ? "" : `tls ${target.tls.serverName ?? ""} ${target.tls.ca ?? ""}`,
  ].join("|");

/** Opens the transport of a target: TCP, with TLS over it where the target re-encrypts. */
async function openTransport(
  connect: Connect,
  context: ConnectionContext,
  target: BackendTarget,
  alpn: string[],
): Promise<Duplex> {
  const socket = await connect(context);
  if (target.tls === undefined) return socket;
  const { ca, serverName } = target.tls;
  return new Promise((resolve, reject) => {
    const secure = tls.connect({
      socket,
      ALPNProtocols: alpn,
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      ...(serverName === undefined ? { checkServerIdentity: () => undefined } : {}),
    });
    secure.once("secureConnect", () => resolve(secure));
    secure.once("error", reject);
  });
}

/** An agent whose sockets come from `connect`, so that the mesh sees them. */
export class UpstreamAgent extends nodeHttp().Agent {
  readonly #connect: Connect;

  constructor(connect: Connect) {
    super({ keepAlive: true, maxFreeSockets: 64, timeout: IDLE_MS, scheduling: "lifo" });
    this.#connect = connect;
  }

  override getName(options?: unknown): string {
    const { context, target } = options as UpstreamRequestOptions;
    return poolKey(context, target);
  }

  override createConnection(
    options: http.ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { context, target } = options as unknown as UpstreamRequestOptions;
    void this.#open(context, target, callback ?? (() => {}));
    return undefined;
  }

  async #open(
    context: ConnectionContext,
    target: BackendTarget,
    opened: (error: Error | null, socket: Duplex) => void,
  ): Promise<void> {
    let socket: Duplex;
    try {
      socket = await openTransport(this.#connect, context, target, ["http/1.1"]);
    } catch (error) {
      return opened(error instanceof Error ? error : new Error(String(error)), undefined as unknown as Duplex);
    }
    opened(null, socket);
  }
}

/** HTTP/2 sessions to endpoints (gRPC and `kubernetes.io/h2c`). */
export class SessionPool {
  readonly #connect: Connect;
  readonly #sessions = new Map<string, Promise<http2.ClientHttp2Session>>();

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  async session(context: ConnectionContext, target: BackendTarget): Promise<http2.ClientHttp2Session> {
    const key = poolKey(context, target);
    const kept = this.#sessions.get(key);
    if (kept !== undefined) {
      const session = await kept;
      if (!session.closed && !session.destroyed) return session;
      if (this.#sessions.get(key) === kept) this.#sessions.delete(key);
      return this.session(context, target);
    }
    const opening = this.#open(key, context, target);
    this.#sessions.set(key, opening);
    opening.catch(() => this.#sessions.delete(key));
    return opening;
  }

  async #open(key: string, context: ConnectionContext, target: BackendTarget): Promise<http2.ClientHttp2Session> {
    const socket = await openTransport(this.#connect, context, target, ["h2"]);
    const scheme = target.tls === undefined ? "http" : "https";
    const session = http2.connect(`${scheme}://${context.endpoint.ip}:${context.endpoint.port}`, {
      createConnection: () => socket,
    });
    const forget = (): void => void this.#sessions.delete(key);
    session.on("close", forget);
    session.on("goaway", forget);
    session.on("error", forget);
    session.setTimeout(IDLE_MS, () => session.close());
    return session;
  }

  close(): void {
    for (const opening of this.#sessions.values()) opening.then((s) => s.destroy()).catch(() => {});
    this.#sessions.clear();
  }
}
