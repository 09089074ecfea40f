/** A bare HTTP/2 client: what it costs must not be counted as the server's. Reads bodies as bytes, parses nothing. */
import http2 from "node:http2";

export interface ApiAddress {
  readonly server: string;
  readonly ca: string | Buffer;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly token?: string | undefined;
}

export interface H2Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface H2Client {
  /** Resolves when the last byte has come. Rejects on a status of 400 or more. */
  request(
    method: string,
    path: string,
    body?: Buffer | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<H2Answer>;
  /** Calls `onData` with every piece of the body until the stream is closed; resolves when the answer has begun. */
  stream(path: string, onData: (chunk: Buffer) => void): Promise<http2.ClientHttp2Stream>;
  close(): void;
}

const WINDOW_BYTES = 16 << 20;

/** One connection; resolves once it stands. */
export async function connectH2({ server, ca, cert, key, token }: ApiAddress): Promise<H2Client> {
  const session = http2.connect(server, { ca, cert, key, settings: { initialWindowSize: WINDOW_BYTES } });
  await new Promise<void>((resolve, reject) => session.once("connect", () => resolve()).once("error", reject));
  session.setLocalWindowSize(WINDOW_BYTES);
  session.on("error", () => undefined);
  const headers = { accept: "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const open = (
    method: string,
    path: string,
    body?: Buffer | string,
    extra?: Readonly<Record<string, string>>,
  ): http2.ClientHttp2Stream => {
    const stream = session.request(
      {
        ...headers,
        ...extra,
        ":method": method,
        ":path": path,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      { endStream: body === undefined },
    );
    if (body !== undefined) stream.end(body);
    return stream;
  };
  return {
    request: (method, path, body, extra) =>
      new Promise((resolve, reject) => {
        const stream = open(method, path, body, extra);
        const chunks: Buffer[] = [];
        let status = 0;
        stream.on("response", (answer) => void (status = Number(answer[":status"])));
        stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
        stream.on("error", reject);
        stream.on("end", () => {
          const answer = { status, body: Buffer.concat(chunks) };
          if (status >= 400) reject(new Error(`${method} ${path}: ${status} ${answer.body.toString().slice(0, 300)}`));
          else resolve(answer);
        });
      }),
    stream: (path, onData) =>
      new Promise((resolve, reject) => {
        const stream = open("GET", path);
        stream.once("response", (answer) =>
          Number(answer[":status"]) === 200
            ? resolve(stream)
            : reject(new Error(`GET ${path}: ${String(answer[":status"])}`)),
        );
        stream.on("data", onData);
        stream.on("error", reject);
      }),
    close: () => session.destroy(),
  };
}

/** Runs `total` tasks, `inFlight` of them at any time. */
export async function keepInFlight(
  total: number,
  inFlight: number,
  task: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total) await task(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
