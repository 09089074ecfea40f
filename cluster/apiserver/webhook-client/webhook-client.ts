/**
 * Calls webhooks: one POST of JSON over TLS to a URL or to a Service of the cluster. Connections are kept between
 * calls, one pool for each target. Used by conversion of custom resources and by admission.
 */
import { isIP, type Socket } from "node:net";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import { postFailed, statusFailed, WebhookCallError } from "./webhook-errors.ts";
import { serviceAddress, type WebhookTarget } from "./webhook-target.ts";

/** Opens a connection to an address of the pods' network; rejects with code EOUTSIDE for any other. */
export type DialCluster = (host: string, port: number) => Promise<Duplex>;

export interface WebhookClientOptions {
  /** The Service of this name; undefined where there is none. */
  service(namespace: string, name: string): unknown;
  /** Undefined as long as no node runs: then only this machine's own network can be reached. */
  dial(): DialCluster | undefined;
}

export interface WebhookCallOptions {
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
}

export interface WebhookClient {
  /** Posts `body` and resolves with the JSON answered. Rejects with `WebhookCallError`, whose message is upstream's. */
  post(target: WebhookTarget, body: unknown, options: WebhookCallOptions): Promise<unknown>;
  close(): void;
}

const USER_AGENT = "kube-apiserver-admission";
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const IDLE_MS = 90_000;
/** Targets whose connections are kept; the one not used for longest goes. */
const MAX_POOLS = 64;

export function createWebhookClient(options: WebhookClientOptions): WebhookClient {
  const pools = new Map<string, Agent>();
  const closing = new AbortController();
  const poolOf = (target: WebhookTarget): Agent => {
    const key = JSON.stringify([new URL(target.url).origin, target.service, target.ca]);
    const kept = pools.get(key);
    pools.delete(key);
    const pool = kept ?? newPool(target, options);
    pools.set(key, pool);
    const oldest = pools.keys().next().value;
    if (pools.size > MAX_POOLS && oldest !== undefined) {
      pools.get(oldest)?.destroy();
      pools.delete(oldest);
    }
    return pool;
  };
  return {
    async post(target, body, { timeoutSeconds, signal }) {
      const url = `${target.url}?timeout=${goSeconds(timeoutSeconds)}`;
      const signals = [AbortSignal.timeout(timeoutSeconds * 1000), closing.signal];
      if (signal !== undefined) signals.push(signal);
      const bytes = Buffer.from(JSON.stringify(body));
      const answer = await send(url, poolOf(target), bytes, AbortSignal.any(signals));
      if (answer.code < 200 || answer.code > 206) throw statusFailed(answer.code, answer.body);
      return parsed(answer.body);
    },
    close() {
      closing.abort();
      for (const pool of pools.values()) pool.destroy();
      pools.clear();
    },
  };
}

/** As Go writes a duration of whole seconds. */
function goSeconds(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    // What is no JSON is read as YAML upstream, and text is a string there.
    const fault =
      body.trim() === ""
        ? "unexpected end of JSON input"
        : 'json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
    throw new WebhookCallError("answer", `couldn't get version/kind; json parse error: ${fault}`, { cause: error });
  }
}

function newPool(target: WebhookTarget, options: WebhookClientOptions): Agent {
  const { hostname } = new URL(target.url);
  const keep = { keepAlive: true, timeout: IDLE_MS };
  const servername = hostname.replace(/^\[|\]$/g, "");
  const trust = {
    ...(target.ca === undefined ? {} : { ca: target.ca }),
    ...(isIP(servername) === 0 ? { servername } : {}),
    host: servername,
    ALPNProtocols: ["http/1.1"],
  };
  const agent = new Agent({ ...keep, ...trust });
  if (target.service === undefined && !mayBeInside(servername)) return agent;
  agent.createConnection = (connection, done) => {
    const { port } = connection as { port?: number | string };
    dialInside(target, servername, Number(port ?? 443), options).then(
      (socket) => {
        const tls = tlsConnect({ ...trust, ...(socket === undefined ? { port: Number(port ?? 443) } : { socket }) });
        // Node's own agent hands out the socket at once; the request waits for it to be secure.
        done?.(null, tls);
      },
      (error: unknown) => done?.(error as Error, undefined as unknown as Socket),
    );
    return undefined;
  };
  return agent;
}

/** Private addresses may be pods'. */
const mayBeInside = (host: string): boolean => isIP(host) === 4 && host.startsWith("10.");

/** A connection to the target through the pods' network; undefined: it is not there, but on this machine's. */
async function dialInside(
  target: WebhookTarget,
  host: string,
  port: number,
  options: WebhookClientOptions,
): Promise<Socket | undefined> {
  const { service } = target;
  const where =
    service === undefined ? { host, port } : serviceAddress(options.service(service.namespace, service.name), service);
  const dial = options.dial();
  if (dial === undefined) {
    if (service === undefined) return undefined;
    throw refused(where);
  }
  try {
    return (await dial(where.host, where.port)) as Socket;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (service === undefined && code === "EOUTSIDE") return undefined;
    throw code === "ECONNREFUSED" ? refused(where) : error;
  }
}

const refused = ({ host, port }: { host: string; port: number }): Error =>
  Object.assign(new Error("connection refused"), { code: "ECONNREFUSED", address: host, port });

interface Answer {
  readonly code: number;
  readonly body: string;
}

async function send(url: string, pool: Agent, body: Buffer, signal: AbortSignal): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const attempted: { request?: ClientRequest } = {};
    try {
      return await sendOnce(url, pool, body, signal, attempted);
    } catch (error) {
      if (signal.aborted) throw postFailed(url, signal.reason);
      if (error instanceof WebhookCallError) throw error;
      // The other side may close an idle connection just as it is used again.
      const stale = attempted.request?.reusedSocket === true && (error as { code?: unknown }).code === "ECONNRESET";
      if (!stale || attempt > 3) throw postFailed(url, error);
    }
  }
}

function sendOnce(
  url: string,
  agent: Agent,
  body: Buffer,
  signal: AbortSignal,
  attempted: { request?: ClientRequest },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method: "POST",
      agent,
      signal,
      headers: {
        accept: "application/json, */*",
        "content-type": "application/json",
        "content-length": body.length,
        "user-agent": USER_AGENT,
      },
    };
    const sent = request(url, options, (response) => void collect(response).then(resolve, reject));
    attempted.request = sent;
    sent.once("error", reject);
    sent.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new WebhookCallError("answer", `the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return { code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") };
}
