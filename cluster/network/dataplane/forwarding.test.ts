/** Mirrors, timeouts and certificates of the ingress, on real sockets: a dataplane in this process, in the bare sandbox's way. */
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BackendTarget, HttpFilter, HttpRule } from "../config.ts";
import { testCertificate } from "../testing/certificate.ts";
import { endpoint, front, host, match, pod, rule, service, to } from "../testing/fixtures.ts";
import { eventually } from "../testing/network-lab.ts";
import { startDataplane, type Dataplane } from "./dataplane.ts";

const POD = "10.128.0.5";
const APPS = "apps.hub.travelops.localhost";
const certificate = testCertificate([`*.${APPS}`]);
const inner = testCertificate(["inner.example"]);
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "travelops-forwarding-"));

let dataplane: Dataplane;
let plain: number;
let secure: number;
const servers: net.Server[] = [];
/** Bodies as the pods got them, by the name of the server. */
const bodies: [string, number][] = [];

const listening = async (server: net.Server): Promise<number> => {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
};
const entry = async (kind: "http" | "https"): Promise<number> => {
  const server = net.createServer();
  const port = await listening(server);
  dataplane.listen(kind, { kind }, server);
  return port;
};

async function register(port: number, real: number): Promise<void> {
  const session = net.connect(path.join(dir, "d.sock"));
  session.write(`${JSON.stringify({ pod: POD, namespace: "shop" })}\n`);
  session.write(
    `${JSON.stringify({ id: 1, listen: port, real: { host: "127.0.0.1", port: real }, loopback: false })}\n`,
  );
  await once(session, "data");
}

/** Takes a body and answers; `/slow` never does. */
const answering =
  (name: string) => (req: http.IncomingMessage | http2.Http2ServerRequest, res: { end: (t: string) => void }) => {
    if (req.url === "/slow") return;
    let size = 0;
    req.on("data", (chunk: Buffer) => (size += chunk.length));
    req.on("end", () => {
      bodies.push([name, size]);
      res.end(name);
    });
  };

const target = (name: string, extra: Partial<BackendTarget> = {}): BackendTarget => ({
  service: `shop/${name}`,
  port: 80,
  protocol: "http",
  ...extra,
});
const mirror = (backend: BackendTarget): HttpFilter => ({ type: "mirror", backend, numerator: 1, denominator: 1 });
const serves = (name: string, rules: readonly HttpRule[], extra: object = {}) => [
  front(`HTTPRoute/shop/${name}`, [host(`${name}.${APPS}`, rules, extra)]),
];
const by = (backend: BackendTarget, extra: Partial<HttpRule> = {}): HttpRule =>
  rule([to(backend.service, 80, { target: backend })], extra);

function ask(name: string, options: https.RequestOptions & { body?: Buffer } = {}): Promise<[number, string]> {
  const { body, ...rest } = options;
  const client = rest.port === secure ? https : http;
  return new Promise((resolve, reject) => {
    const req = client.request(
      {
        host: "127.0.0.1",
        port: plain,
        agent: false,
        method: body === undefined ? "GET" : "POST",
        headers: { host: `${name}.${APPS}`, ...(body === undefined ? {} : { "content-length": body.length }) },
        ...rest,
      },
      (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        res.on("end", () => resolve([res.statusCode ?? 0, text]));
      },
    );
    req.on("error", reject).end(body);
  });
}

describe("the ingress", () => {
  beforeAll(async () => {
    const h2c = target("h2c", { protocol: "h2c" });
    const all = [
      ...serves("mirrored", [by(target("web"), { filters: [mirror(target("copy")), mirror(h2c)] })]),
      ...serves("timed", [by(target("web"), { backendTimeoutMs: 50 })]),
      ...serves("timed2", [by(h2c, { backendTimeoutMs: 50 })]),
      ...serves("limited", [by(target("web"), { requestTimeoutMs: 50 })]),
      ...serves("unlimited", [by(target("web"), { requestTimeoutMs: 0, backendTimeoutMs: 0 })]),
      ...serves("checked", [by(target("tls", { tls: { ca: inner.cert } }))]),
      ...serves("mistrusted", [by(target("tls", { tls: { ca: certificate.cert } }))]),
      ...serves("rpc", [
        by(h2c, { match: match({ path: { type: "PathPrefix", value: "/s.Known" } }) }),
        rule([{ kind: "invalid", weight: 1, why: "no such Service" }], {
          match: match({ path: { type: "Exact", value: "/s.Gone/Call" } }),
        }),
      ]),
      ...serves("broken", [by(target("web"))], { certificate: { cert: "nonsense", key: "nonsense" } }),
      ...serves("ended", [], {
        http: "none",
        https: "none",
        terminated: [to("shop/web", 80)],
        certificate: { cert: "", key: "x" },
      }),
    ];
    const names = ["web", "copy", "h2c", "tls"];
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
        pods: { [POD]: pod(POD, "shop/a") },
        services: Object.fromEntries(
          names.map((name, i) => [
            `shop/${name}`,
            service(`shop/${name}`, `10.64.0.2${i}`, 80, [endpoint(POD, 7000 + i)]),
          ]),
        ),
        fronts: Object.fromEntries(all.map((each) => [each.owner, each])),
      },
      forward: () => Promise.resolve(undefined),
      sibling: () => Promise.resolve(undefined),
      log: () => {},
    });
    await register(7000, await listening(http.createServer(answering("web"))));
    await register(7001, await listening(http.createServer(answering("copy"))));
    await register(7002, await listening(http2.createServer({}, answering("h2c"))));
    await register(7003, await listening(https.createServer(inner, answering("tls"))));
    plain = await entry("http");
    secure = await entry("https");
  });
  afterAll(() => {
    dataplane?.close();
    for (const server of servers) server.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  it("copies a request to its mirrors, whole, and still sends it whole", async () => {
    const body = Buffer.alloc(300_000, "x");
    expect(await ask("mirrored", { body })).toEqual([200, "web"]);
    await eventually(
      () => Promise.resolve(bodies.length),
      (count) => count === 3,
    );
    expect(bodies.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ["copy", body.length],
      ["h2c", body.length],
      ["web", body.length],
    ]);
    bodies.length = 0;
    expect(await ask("mirrored")).toEqual([200, "web"]);
    await eventually(
      () => Promise.resolve(bodies.length),
      (count) => count === 3,
    );
  });

  it("ends what takes longer than a rule allows with 504, by HTTP/1.1 and HTTP/2", async () => {
    for (const name of ["timed", "timed2", "limited"]) {
      expect((await ask(name, { path: "/slow" }))[0]).toBe(504);
      expect((await ask(name))[0]).toBe(200);
    }
    expect((await ask("unlimited"))[0]).toBe(200);
  });

  it("tells gRPC clients in their own words: no such method, or not there now", async () => {
    const session = http2.connect(`http://127.0.0.1:${plain}`);
    const call = async (method: string): Promise<string> => {
      const stream = session.request({
        ":method": "POST",
        ":path": method,
        ":authority": `rpc.${APPS}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.end();
      const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
      stream.resume();
      return `${String(headers[":status"])} ${String(headers["grpc-status"])} ${decodeURIComponent(String(headers["grpc-message"] ?? ""))}`;
    };
    expect(await call("/s.Known/Call")).toMatch(/^200 undefined/);
    expect(await call("/s.Unknown/Call")).toMatch(/^200 12 No rule of "rpc\..*" matches \/s\.Unknown\/Call/);
    expect(await call("/s.Gone/Call")).toMatch(/^200 14 .*no such Service/);
    session.close();
  });

  it("re-encrypts to endpoints whose certificate its CA has signed, and says so of others", async () => {
    expect(await ask("checked")).toEqual([200, "tls"]);
    const [status, page] = await ask("mistrusted");
    expect(status).toBe(503);
    expect(page).toMatch(/took no connection: .*certificate/);
  });

  it("answers with the cluster's certificate where a host's own cannot be served, and goes on", async () => {
    for (const name of ["broken", "ended"]) {
      const socket = tls.connect({
        port: secure,
        host: "127.0.0.1",
        servername: `${name}.${APPS}`,
        ca: certificate.cert,
      });
      await once(socket, "secureConnect");
      expect(socket.authorized).toBe(true);
      socket.destroy();
    }
    const options = { port: secure, ca: certificate.cert, servername: `broken.${APPS}` };
    expect(await ask("broken", options)).toEqual([200, "web"]);
  });
});
