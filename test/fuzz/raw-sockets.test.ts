import net from "node:net";
import tls from "node:tls";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, it } from "vitest";
import { startFuzzServer, type FuzzServer } from "./fuzz-server.ts";
import { PARAMETERS, RUNS, TIMEOUT_MS } from "./runs.ts";

let server: FuzzServer;
let port: number;
beforeAll(async () => {
  server = await startFuzzServer();
  port = Number(new URL(server.test.url).port);
});
afterEach(async () => {
  await server.stillServes();
  server.checkLog();
});
afterAll(() => server.close());

/** Nothing is expected in answer; only a server that keeps a hopeless connection for ever would hold us up. */
const PATIENCE_MS = 50;

/** Sends the pieces, then half-closes or breaks off; resolves with what came back. */
function exchange(
  pieces: readonly Uint8Array[],
  options: { alpn?: string; abrupt: boolean; plain?: boolean },
): Promise<string> {
  return new Promise((resolve) => {
    const socket =
      options.plain === true
        ? net.connect(port, "127.0.0.1")
        : tls.connect({
            port,
            host: "127.0.0.1",
            ca: server.test.caData,
            ALPNProtocols: [options.alpn ?? "http/1.1"],
            servername: "localhost",
          });
    let answer = "";
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, PATIENCE_MS + (options.plain === true ? 0 : 200));
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (answer.includes("\r\n\r\n")) end();
    });
    socket.on("error", end);
    socket.on("close", end);
    socket.on(options.plain === true ? "connect" : "secureConnect", () => {
      for (const piece of pieces) socket.write(piece);
      if (options.abrupt) socket.destroy();
    });
  });
}

const runs = { ...PARAMETERS, numRuns: Math.min(RUNS, 400) };
const bytes = fc.uint8Array({ maxLength: 200 });
const requestLine = fc.constantFrom(
  "GET / HTTP/1.1",
  "GET /api/v1/pods HTTP/1.1",
  "GET  HTTP/1.1",
  "GET / HTTP/9.9",
  "G\u0000T / HTTP/1.1",
  "POST /api/v1/namespaces/default/configmaps HTTP/1.1",
  "GET http://other/api HTTP/1.1",
  "CONNECT a:1 HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "GET /\u00ff HTTP/1.0",
  `GET /${"a".repeat(70_000)} HTTP/1.1`,
  "PRI * HTTP/2.0",
  "",
  " ",
);
const headerLine = fc.constantFrom(
  "Host: x",
  "Host:",
  "Content-Length: 5",
  "Content-Length: 5, 6",
  "Content-Length: -1",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, x",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Upgrade: SPDY/3.1",
  "Upgrade: h2c",
  "Sec-WebSocket-Key: x",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Protocol: v5.channel.k8s.io",
  "Expect: 100-continue",
  "X: \u0000",
  ": x",
  "nocolon",
  ` folded: ${"y".repeat(20_000)}`,
  "Cookie: a=b; ".repeat(300),
  "Content-Type: application/json",
  "Connection: close, keep-alive",
  "HTTP2-Settings: AAA",
);
const http1 = fc
  .tuple(
    requestLine,
    fc.array(headerLine, { maxLength: 8 }),
    fc.boolean(),
    fc.oneof(
      fc.constantFrom("", "5\r\nhello\r\n0\r\n\r\n", "zz\r\n", "ffffffffffffffff\r\nx", "{}", "GET / HTTP/1.1\r\n\r\n"),
      fc.string(),
    ),
  )
  .chain(([line, headers, authorized, body]) => {
    const all = [line, ...headers, ...(authorized ? [`Authorization: Bearer ${server.test.adminToken}`] : [])];
    const text = Buffer.from(`${all.join("\r\n")}\r\n\r\n${body}`, "latin1");
    return fc.nat(text.length).map((cut) => [text.subarray(0, cut), text.subarray(cut)]);
  });

it("survives any HTTP/1.1", { timeout: TIMEOUT_MS * 2 }, async () => {
  await fc.assert(
    fc.asyncProperty(http1, fc.boolean(), async (pieces, abrupt) => {
      const answer = await exchange(pieces, { abrupt });
      if (/^HTTP\/1\.1 5(?!0[134])/.test(answer)) throw new Error(answer.slice(0, 500));
    }),
    runs,
  );
});

it("survives upgrades of paths that take none, and of those that do", { timeout: TIMEOUT_MS * 2 }, async () => {
  const where = fc.constantFrom(
    "/",
    "/api/v1/pods",
    "/api/v1/namespaces/default/pods/x/exec?command=sh",
    "/api/v1/namespaces/default/pods/x/attach",
    "/api/v1/namespaces/default/pods/x/portforward?ports=x",
    "/api/v1/namespaces/default/pods?watch=true",
    "/%zz",
  );
  const kind = fc.constantFrom("websocket", "SPDY/3.1", "h2c", "x");
  await fc.assert(
    fc.asyncProperty(
      where,
      kind,
      fc.array(headerLine, { maxLength: 4 }),
      bytes,
      fc.boolean(),
      async (path, upgrade, headers, rest, authorized) => {
        const lines = [
          `GET ${path} HTTP/1.1`,
          "Host: x",
          "Connection: Upgrade",
          `Upgrade: ${upgrade}`,
          ...headers,
          ...(authorized ? [`Authorization: Bearer ${server.test.adminToken}`] : []),
        ];
        const answer = await exchange([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), rest], {
          abrupt: false,
        });
        if (/^HTTP\/1\.1 5(?!0[134])/.test(answer)) throw new Error(answer.slice(0, 500));
      },
    ),
    runs,
  );
});

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame of HTTP/2 with a header that may lie about everything. */
const frame = fc
  .record({
    length: fc.option(fc.nat(1 << 20)),
    type: fc.nat(12),
    flags: fc.nat(255),
    stream: fc.nat(9),
    payload: bytes,
  })
  .map(({ length, type, flags, stream, payload }) => {
    const header = Buffer.alloc(9);
    header.writeUIntBE(length ?? payload.length, 0, 3);
    header.writeUInt8(type, 3);
    header.writeUInt8(flags, 4);
    header.writeUInt32BE(stream, 5);
    return Buffer.concat([header, payload]);
  });

it("survives any HTTP/2 frames", { timeout: TIMEOUT_MS * 2 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 6 }), fc.boolean(), fc.boolean(), async (frames, preface, abrupt) => {
      await exchange([...(preface ? [PREFACE] : []), ...frames], { alpn: "h2", abrupt });
    }),
    runs,
  );
});

it("survives what is no TLS", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        bytes,
        fc.constant(Buffer.from("GET / HTTP/1.1\r\n\r\n")),
        fc.constant(Buffer.from([22, 3, 1, 255, 255, 1])),
      ),
      fc.boolean(),
      async (sent, abrupt) => {
        await exchange([sent], { plain: true, abrupt });
      },
    ),
    runs,
  );
});
