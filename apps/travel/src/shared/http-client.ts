import type { Agent, ClientRequest, RequestOptions } from "node:http";
import { nodeHttp } from "./node-http.ts";

export interface ClientResponse {
  readonly status: number;
  readonly body: Buffer;
  json(): unknown;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call; none by default, since the chaos monkey may be slow on purpose. */
  readonly timeout?: number;
}

export interface HttpClient {
  call(url: string, options?: CallOptions): Promise<ClientResponse>;
  close(): void;
}

const BODY_LIMIT = 16 << 20;

/** node:http rather than fetch: fetch costs every pod some 15 MB. */
export function createHttpClient(): HttpClient {
  const agent = new nodeHttp.Agent({ keepAlive: true, maxFreeSockets: 16 });
  return {
    call: async (url, options = {}) => {
      const target = new URL(url);
      const start = target.protocol === "https:" ? (await import("node:https")).request : nodeHttp.request;
      const once = (): Promise<ClientResponse> => exchange(target, start, agent, options);
      try {
        return await once();
      } catch (error) {
        // The peer may close a kept connection just as it is used again; nothing was processed then.
        if (error instanceof StaleConnection && (options.method ?? "GET") === "GET") return once();
        throw error;
      }
    },
    close: () => agent.destroy(),
  };
}

class StaleConnection extends Error {}

type Start = (url: URL, options: RequestOptions) => ClientRequest;

function exchange(url: URL, start: Start, agent: Agent, options: CallOptions): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : Buffer.from(options.body);
    const signals = [options.signal, options.timeout === undefined ? undefined : AbortSignal.timeout(options.timeout)];
    const present = signals.filter((signal) => signal !== undefined);
    const request = start(url, {
      method: options.method ?? "GET",
      headers: { ...options.headers, ...(body && { "content-length": body.length }) },
      ...(url.protocol === "http:" && { agent }),
      ...(present.length > 0 && { signal: present.length === 1 ? present[0] : AbortSignal.any(present) }),
    });
    let answered = false;
    request.on("error", (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && !answered && error.code === "ECONNRESET";
      reject(stale ? new StaleConnection(error.message, { cause: error }) : named(error, url));
    });
    request.on("response", (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > BODY_LIMIT)
          response.destroy(new Error(`The answer of ${url.host} is larger than ${BODY_LIMIT} bytes`));
      });
      response.on("error", reject);
      response.on("end", () => {
        const whole = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, body: whole, json: () => JSON.parse(whole.toString()) as unknown });
      });
    });
    request.end(body);
  });
}

/** Says which peer failed; Node's own message often is only "socket hang up". */
function named(error: NodeJS.ErrnoException, url: URL): Error {
  const detail = error.message === "" ? (error.code ?? error.name) : error.message;
  return new Error(`${url.host}: ${detail}`, { cause: error });
}
