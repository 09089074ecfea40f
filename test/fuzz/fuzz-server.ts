/** One embedded API server over TLS for a file of properties, and what an answer must never be. */
import http2 from "node:http2";
import { createLogger } from "@travelops/kube/api/logger";
import { startTestServer, type TestServer } from "@travelops/cluster/apiserver/testing/start-test-server";

export interface FuzzRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface FuzzServer {
  readonly test: TestServer;
  /** Resolves with undefined where this machine's own HTTP/2 client refuses to send the request. */
  ask(request: FuzzRequest): Promise<Answer | undefined>;
  /** Asks, and throws with what the server logged if the answer is a fault of its own. */
  hold(request: FuzzRequest): Promise<Answer | undefined>;
  /** Throws unless an ordinary request is answered as ever. */
  stillServes(): Promise<void>;
  /** Throws if the server has logged a fault since the last time. */
  checkLog(): void;
  close(): Promise<void>;
}

/** What the API documents for what it cannot do, cannot do now, or cannot do in time. */
const DOCUMENTED = new Set([501, 503, 504]);
/**
 * What a client applies and cannot be typed is its own fault, and what it wrote by other means as well; the API
 * answers 500 all the same, and so do we.
 */
const UNTYPED =
  /"message":"(?:failed to (?:create typed (?:patch|live) object|convert new object) |map: .* does not contain declared merge key|list element types are not identical)/;
/** So is a resource version that is no number, on reads and watches: upstream's cache answers 500, and so do we. */
const NO_VERSION = /[?&]resourceVersion=(?!\d{1,19}(?:&|$))/;
const isDocumented = ({ path }: FuzzRequest, { status, text }: Answer): boolean =>
  DOCUMENTED.has(status) || (status === 500 && (UNTYPED.test(text) || NO_VERSION.test(path)));
const ANSWER_MS = 10_000;

export async function startFuzzServer(): Promise<FuzzServer> {
  const faults: string[] = [];
  const log = createLogger({ level: "error", write: (line) => void faults.push(line) });
  const test = await startTestServer({ log });
  let session: http2.ClientHttp2Session | undefined;
  const connected = (): http2.ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(test.url, { ca: test.caData });
      session.on("error", () => undefined);
    }
    return session;
  };
  const ask = (request: FuzzRequest): Promise<Answer | undefined> => send(connected(), test.adminToken, request);
  const takeFaults = (): string => faults.splice(0).join("").slice(0, 4000);
  const server: FuzzServer = {
    test,
    ask,
    async hold(request) {
      const answer = await ask(request);
      const faulty = answer !== undefined && answer.status >= 500 && !isDocumented(request, answer);
      if (faulty || faults.length > 0)
        throw new Error(`${answer?.status} ${answer?.text.slice(0, 500)}\n${takeFaults()}`);
      return answer;
    },
    async stillServes() {
      const answer = await ask({ method: "GET", path: "/api/v1/namespaces/default" });
      if (answer?.status !== 200) throw new Error(`an ordinary request got ${JSON.stringify(answer)}`);
    },
    checkLog() {
      if (faults.length > 0) throw new Error(takeFaults());
    },
    async close() {
      session?.destroy();
      await test.close();
    },
  };
  // Nobody runs the controllers here that would make it.
  await ask({
    method: "POST",
    path: "/api/v1/namespaces",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } }),
  });
  await server.stillServes();
  return server;
}

/** A watch is let go as soon as its answer begins: whether it was accepted is all that matters here. */
const isStream = (path: string): boolean => /[?&](watch|follow)(=|&|$)/.test(path) || path.includes("/watch/");

function send(
  session: http2.ClientHttp2Session,
  token: string,
  { method, path, headers, body }: FuzzRequest,
): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.request({
        ":method": method,
        ":path": path,
        authorization: `Bearer ${token}`,
        ...headers,
      });
    } catch {
      return resolve(undefined);
    }
    const timer = setTimeout(() => {
      stream.close();
      reject(new Error(`${method} ${path}: no answer within ${ANSWER_MS} ms`));
    }, ANSWER_MS);
    const done = (answer: Answer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    let status = 0;
    const chunks: Buffer[] = [];
    stream.on("response", (answer) => {
      status = Number(answer[":status"]);
      if (!isStream(path)) return;
      stream.close();
      done({ status, text: "" });
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => done({ status, text: Buffer.concat(chunks).toString() }));
    // A reset of one stream is an answer, too; that the session lives is asked afterwards.
    stream.on("error", () => done({ status, text: "" }));
    stream.on("close", () => done({ status, text: Buffer.concat(chunks).toString() }));
    stream.end(body);
  });
}
