/** What passes through Services and the ingress, on real sockets: a dataplane in this process, in the bare sandbox's way. */
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostListener, HttpFilter } from "../config.ts";
import { testCertificate } from "../testing/certificate.ts";
import { endpoint, front, host, pod, rule, service, to } from "../testing/fixtures.ts";
import { eventually } from "../testing/network-lab.ts";
import { startDataplane, type Dataplane } from "./dataplane.ts";

const [A, B] = ["10.128.0.5", "10.128.0.6"];
const APPS = "apps.hub.travelops.localhost";
const certificate = testCertificate([`*.${APPS}`]);
const own = testCertificate(["own.example"]);
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "travelops-protocols-"));

let dataplane: Dataplane;
const servers: net.Server[] = [];
const seen: http.IncomingHttpHeaders[] = [];

const listening = async (server: net.Server): Promise<number> => {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
};
const hostListener = async (listener: HostListener): Promise<number> => {
  const server = net.createServer();
  const port = await listening(server);
  dataplane.listen(String(port), listener, server);
  return port;
};

/** Tells the dataplane that a pod's port is a port of this machine, as the preload does. */
async function register(ip: string, port: number, real: number): Promise<net.Socket> {
  const session = net.connect(path.join(dir, "d.sock"));
  session.write(`${JSON.stringify({ pod: ip, namespace: "shop" })}\n`);
  session.write(
    `${JSON.stringify({ id: 1, listen: port, real: { host: "127.0.0.1", port: real }, loopback: false })}\n`,
  );
  await once(session, "data");
  return session;
}

const CORS: HttpFilter = {
  type: "cors",
  origins: ["https://app.example"],
  credentials: true,
  methods: ["PUT"],
  headers: [],
  expose: [],
  maxAge: 5,
};

describe("what passes", () => {
  beforeAll(async () => {
    dataplane = await startDataplane({
      settings: {
        clusterName: "hub",
        clusterDomain: "cluster.local",
        appsDomain: APPS,
        podRange: "10.128.0.0/16",
        serviceRange: "10.64.0.0/16",
        sandbox: "bare",
        socketPath: path.join(dir, "d.sock"),
        certificate,
        publicPorts: { http: 8080, https: 8443 },
      },
      snapshot: {
        pods: { [A]: pod(A, "shop/a"), [B]: pod(B, "shop/b") },
        services: {
          "shop/echo": service("shop/echo", "10.64.0.20", 80, [endpoint(A, 7000)]),
          "shop/web": service("shop/web", "10.64.0.21", 80, [endpoint(A, 8000)]),
          "shop/grpc": service("shop/grpc", "10.64.0.22", 80, [endpoint(A, 9000)]),
        },
        fronts: {
          "TLSRoute/shop/own": front("TLSRoute/shop/own", [
            host("own.example", [], {
              http: "none",
              https: "none",
              terminated: [to("shop/echo", 80)],
              certificate: own,
            }),
          ]),
          "HTTPRoute/shop/web": front("HTTPRoute/shop/web", [
            host(`web.${APPS}`, [rule([to("shop/web", 80)], { filters: [CORS] })]),
          ]),
          "GRPCRoute/shop/grpc": front("GRPCRoute/shop/grpc", [
            host(`grpc.${APPS}`, [
              rule([to("shop/grpc", 80, { target: { service: "shop/grpc", port: 80, protocol: "h2c" } })]),
            ]),
          ]),
        },
      },
      forward: () => Promise.resolve(undefined),
      sibling: () => Promise.resolve(undefined),
      log: () => {},
    });
    const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    const web = http.createServer((req, res) => {
      seen.push(req.headers);
      res.setHeader("access-control-allow-origin", "*").end("web");
    });
    web.on("upgrade", (_req, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
      socket.pipe(socket);
    });
    const grpc = http2.createServer();
    grpc.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      if (headers[":path"] === "/s/refuse")
        return stream.respond(
          { ":status": 200, "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "no such" },
          { endStream: true },
        );
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.pipe(stream);
    });
    await register(A, 7000, await listening(echo));
    await register(A, 8000, await listening(web));
    await register(A, 9000, await listening(grpc));
  });
  afterAll(() => {
    dataplane?.close();
    for (const server of servers) server.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  it("TLS that a Gateway ends, with anything inside", async () => {
    const port = await hostListener({ kind: "https" });
    const socket = tls.connect({ port, host: "127.0.0.1", servername: "own.example", ca: own.cert });
    await once(socket, "secureConnect");
    socket.write("no HTTP at all");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toBe("no HTTP at all");
    socket.destroy();
  });

  it("CORS: a preflight is answered here, an answer is given the filter's word", async () => {
    const port = await hostListener({ kind: "http" });
    const ask = (method: string, headers: http.OutgoingHttpHeaders): Promise<http.IncomingMessage> =>
      new Promise((resolve, reject) => {
        http
          .request(
            { port, host: "127.0.0.1", method, agent: false, headers: { host: `web.${APPS}`, ...headers } },
            (res) => {
              res.resume();
              resolve(res);
            },
          )
          .on("error", reject)
          .end();
      });
    seen.length = 0;
    const origin = "https://app.example";
    const preflight = await ask("OPTIONS", { origin, "access-control-request-method": "PUT" });
    expect([preflight.statusCode, preflight.headers["access-control-allow-methods"], seen.length]).toEqual([
      204,
      "PUT",
      0,
    ]);
    const answer = await ask("GET", { origin });
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
    });
    expect((await ask("GET", { origin: "https://evil.example" })).headers).not.toHaveProperty(
      "access-control-allow-origin",
    );
  });

  it("gRPC: both directions at once, answers of trailers only, many streams on one connection", async () => {
    const port = await hostListener({ kind: "http" });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const call = (where: string): http2.ClientHttp2Stream =>
      session.request({
        ":method": "POST",
        ":path": where,
        ":authority": `grpc.${APPS}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
    const streams = Array.from({ length: 20 }, () => call("/s/echo"));
    await Promise.all(
      streams.map(async (stream, index) => {
        for (const word of ["one", "two", "three"]) {
          stream.write(`${word} ${index}`);
          const [chunk] = (await once(stream, "data")) as [Buffer];
          expect(chunk.toString()).toBe(`${word} ${index}`);
        }
        stream.end();
        const [trailers] = (await once(stream, "trailers")) as [http2.IncomingHttpHeaders];
        expect(trailers["grpc-status"]).toBe("0");
      }),
    );
    const refused = call("/s/refuse");
    refused.end();
    const [headers] = (await once(refused, "response")) as [http2.IncomingHttpHeaders];
    expect([headers["grpc-status"], headers["grpc-message"]]).toEqual(["5", "no such"]);
    session.close();
  });

  it("WebSocket over TLS, and half-closes on a node port", async () => {
    const secure = await hostListener({ kind: "https" });
    const socket = tls.connect({
      port: secure,
      host: "127.0.0.1",
      servername: `web.${APPS}`,
      ca: certificate.cert,
      ALPNProtocols: ["http/1.1"],
    });
    await once(socket, "secureConnect");
    socket.write(`GET / HTTP/1.1\r\nhost: web.${APPS}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`);
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 101 /);
    socket.write("frame");
    expect(String((await once(socket, "data"))[0])).toBe("frame");
    socket.destroy();
    const port = await hostListener({ kind: "service", service: "shop/echo", port: 80 });
    const half = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    half.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    half.end("all of it");
    await once(half, "end");
    expect(text).toBe("all of it");
  });

  it("requests on a host's own port by any name of this machine, by no name of elsewhere", async () => {
    const port = await hostListener({ kind: "host", hostname: `web.${APPS}` });
    const ask = (name: string): Promise<[number, string]> =>
      new Promise((resolve, reject) => {
        http
          .get({ port, host: "127.0.0.1", agent: false, headers: { host: name } }, (res) => {
            let body = "";
            res.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
            res.on("end", () => resolve([res.statusCode ?? 0, body]));
          })
          .on("error", reject);
      });
    for (const name of [
      `web.${APPS}`,
      "localhost",
      "127.0.0.1",
      "192.168.7.7:80",
      "[::1]",
      os.hostname(),
      "x.localhost",
    ])
      expect(await ask(`${name}`)).toEqual([200, "web"]);
    const [status, body] = await ask("rebound.example");
    expect(status).toBe(404);
    expect(body).toContain(`This port serves web.${APPS} at http://127.0.0.1:${port}/`);
    expect((await ask(`typo.${APPS}`))[0]).toBe(404);
  });

  it.skipIf(!fs.existsSync("/proc/self/fd"))(
    "a thousand idle connections, of which nothing is left afterwards",
    async () => {
      const port = await hostListener({ kind: "service", service: "shop/echo", port: 80 });
      const open = (): number => fs.readdirSync("/proc/self/fd").length;
      const before = open();
      const clients = await Promise.all(
        Array.from({ length: 1000 }, async () => {
          const client = net.connect(port, "127.0.0.1");
          client.write("x");
          await once(client, "data");
          return client;
        }),
      );
      // Here are all five ends of each: client, accepted, dialled, and the pod's two.
      expect(open()).toBeGreaterThan(before + 3900);
      clients.forEach((client, index) => (index % 2 === 0 ? client.end() : client.resetAndDestroy()));
      await eventually(
        () => Promise.resolve(open()),
        (now) => now <= before,
      );
    },
    30_000,
  );

  it("connections that stand, though their endpoint takes no new ones; those go elsewhere", async () => {
    const second = net.createServer((socket) => socket.end("second"));
    await register(B, 7000, await listening(second));
    const port = await hostListener({ kind: "service", service: "shop/echo", port: 80 });
    const client = net.connect(port, "127.0.0.1");
    client.write("before");
    expect(String((await once(client, "data"))[0])).toBe("before");
    dataplane.apply({
      services: {
        "shop/echo": service("shop/echo", "10.64.0.20", 80, [endpoint(A, 7000, { ready: false }), endpoint(B, 7000)]),
      },
    });
    client.write("after");
    expect(String((await once(client, "data"))[0])).toBe("after");
    client.destroy();
    const next = net.connect(port, "127.0.0.1");
    expect(String((await once(next, "data"))[0])).toBe("second");
  });
});
