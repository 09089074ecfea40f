import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endpoint, front, host, pod, rule, service, to } from "../testing/fixtures.ts";
import { canUnshare } from "../testing/netns-host.ts";
import { eventually, startLab, type Lab } from "../testing/network-lab.ts";
import { testCertificate } from "../testing/certificate.ts";

const APPS = "apps.hub.travelops.localhost";
const A = "10.128.0.5";
const B = "10.128.0.6";
const CLIENT = "10.128.0.9";

interface Got {
  status: number;
  body: string;
  headers: Record<string, string>;
}

describe.skipIf(!canUnshare())("the dataplane in a network namespace", () => {
  let lab: Lab;
  const inner = testCertificate(["inner.example"]);
  beforeAll(async () => {
    lab = await startLab({
      sandbox: "namespaces",
      pods: [A, B, CLIENT, "10.128.1.1"],
      snapshot: {
        pods: { [A]: pod(A, "shop/a"), [B]: pod(B, "shop/b"), [CLIENT]: pod(CLIENT, "shop/client") },
        services: {
          "shop/web": service("shop/web", "10.64.0.20", 80, [endpoint(A, 8000), endpoint(B, 8000)]),
          "shop/sticky": service("shop/sticky", "10.64.0.21", 80, [endpoint(A, 7000), endpoint(B, 7000)], {
            affinitySeconds: 60,
          }),
          "shop/half": service("shop/half", "10.64.0.22", 80, [endpoint(A, 9), endpoint(B, 8000)]),
          "shop/none": service("shop/none", "10.64.0.23", 80, [endpoint(A, 8000, { ready: false })]),
          "shop/db": service(
            "shop/db",
            "",
            7000,
            [endpoint(A, 7000, { hostname: "db-0" }), endpoint(B, 7000, { hostname: "db-1" })],
            { headless: true },
          ),
          "shop/grpc": service("shop/grpc", "10.64.0.24", 50051, [endpoint(A, 50_051)]),
          "shop/tls": service("shop/tls", "10.64.0.25", 443, [endpoint(A, 8443)]),
        },
        fronts: {
          "Route/shop/web": front("Route/shop/web", [host(`web.${APPS}`, [rule([to("shop/web", 80)])])]),
          "Route/shop/none": front("Route/shop/none", [host(`none.${APPS}`, [rule([to("shop/none", 80)])])]),
          "Route/shop/edge": front("Route/shop/edge", [
            host(`edge.${APPS}`, [rule([to("shop/web", 80)])], { http: "redirect" }),
          ]),
          "Route/shop/pass": front("Route/shop/pass", [
            host(`pass.${APPS}`, [], { http: "none", passthrough: [to("shop/tls", 443)] }),
          ]),
          "Route/shop/re": front("Route/shop/re", [
            host(`re.${APPS}`, [
              rule([
                to("shop/tls", 443, {
                  target: {
                    service: "shop/tls",
                    port: 443,
                    protocol: "http",
                    tls: { ca: inner.cert, serverName: "inner.example" },
                  },
                }),
              ]),
            ]),
          ]),
          "GRPCRoute/shop/grpc": front("GRPCRoute/shop/grpc", [
            host(`grpc.${APPS}`, [
              rule([to("shop/grpc", 50_051, { target: { service: "shop/grpc", port: 50_051, protocol: "h2c" } })]),
            ]),
          ]),
        },
      },
    });
    await Promise.all([
      lab.act({ do: "http", ip: A, port: 8000, name: "a" }),
      lab.act({ do: "http", ip: B, port: 8000, name: "b" }),
      lab.act({ do: "echo", ip: A, port: 7000, name: "a" }),
      lab.act({ do: "echo", ip: B, port: 7000, name: "b" }),
      lab.act({ do: "h2c", ip: A, port: 50_051, name: "grpc" }),
      lab.act({ do: "https", ip: A, port: 8443, name: "tls", ...inner }),
    ]);
  });
  afterAll(() => lab?.close());

  const get = (url: string, from = CLIENT): Promise<Got> => lab.act<Got>({ do: "get", url, from });
  const tcp = (ip: string, port: number): Promise<string> =>
    lab.act<string>({ do: "tcp", ip, port, from: CLIENT, data: "hello" });
  const name = (got: Got): string => (JSON.parse(got.body) as { name: string }).name;

  it("spreads connections of a Service over its ready endpoints", async () => {
    const names = new Set<string>();
    for (let i = 0; i < 4; i++) names.add(name(await get("http://10.64.0.20/")));
    expect([...names].toSorted()).toEqual(["a", "b"]);
  });

  it("keeps a client on its endpoint with ClientIP affinity, and passes half-closes on", async () => {
    const first = await tcp("10.64.0.21", 80);
    expect(first).toMatch(/\|hello$/);
    for (let i = 0; i < 3; i++) expect(await tcp("10.64.0.21", 80)).toBe(first);
  });

  it("goes on to the next endpoint when one refuses", async () => {
    for (let i = 0; i < 3; i++) expect(name(await get("http://10.64.0.22/"))).toBe("b");
  });

  it("resets connections to a Service without endpoints, and follows its change", async () => {
    await expect(tcp("10.64.0.23", 80)).rejects.toThrow(/ECONNRESET/);
    lab.apply({ services: { "shop/none": service("shop/none", "10.64.0.23", 80, [endpoint(A, 7000)]) } });
    await eventually(
      () => tcp("10.64.0.23", 80),
      (text) => String(text).startsWith("a|"),
    );
    lab.apply({ services: { "shop/none": null } });
    await eventually(
      () => tcp("10.64.0.23", 80),
      (error) => String(error).includes("ECONNREFUSED"),
    );
    lab.apply({ services: { "shop/none": service("shop/none", "10.64.0.23", 80, []) } });
  });

  it("serves node ports on the nodes' addresses, externalTrafficPolicy and all", async () => {
    const ports = (nodePort: number) => [
      { name: "http", port: 80, protocol: "TCP" as const, nodePort, endpoints: [endpoint(A, 8000), endpoint(B, 8000)] },
    ];
    lab.apply({
      services: {
        "shop/np": service("shop/np", "10.64.0.30", 80, [], { ports: ports(30_080) }),
        "shop/np-local": service("shop/np-local", "10.64.0.31", 80, [], { ports: ports(30_081), externalLocal: true }),
      },
    });
    await eventually(
      () => get("http://10.128.0.1:30080/"),
      (got) => got.status === 200,
    );
    expect((await get("http://10.128.1.1:30080/")).status).toBe(200);
    expect((await get("http://10.128.0.1:30081/")).status).toBe(200);
    await expect(get("http://10.128.1.1:30081/")).rejects.toThrow(/ECONNRESET/);
    await expect(get("http://10.128.0.9:30080/")).rejects.toThrow(/ECONNREFUSED/);
  });

  it("answers DNS: Services, headless ones, SRV, the apps domain, and what is not there", async () => {
    const dns = (query: string, type: string): Promise<unknown> =>
      lab.act({ do: "dns", server: "10.64.0.10", name: query, type });
    expect(await dns("web.shop.svc.cluster.local", "A")).toEqual(["10.64.0.20"]);
    expect(((await dns("db.shop.svc.cluster.local", "A")) as string[]).toSorted()).toEqual([A, B]);
    expect(await dns("db-1.db.shop.svc.cluster.local", "A")).toEqual([B]);
    expect(await dns("_http._tcp.web.shop.svc.cluster.local", "SRV")).toEqual([
      expect.objectContaining({ name: "web.shop.svc.cluster.local", port: 80, priority: 0, weight: 100 }),
    ]);
    expect(await dns(`web.${APPS}`, "A")).toEqual(["10.128.0.1"]);
    const many = Array.from({ length: 100 }, (_, i) => endpoint(`10.128.9.${i}`, 80));
    lab.apply({ services: { "shop/many": service("shop/many", "", 80, many, { headless: true }) } });
    // Too much for UDP: the client asks again over TCP.
    await eventually(
      () => dns("many.shop.svc.cluster.local", "A") as Promise<string[]>,
      (found) => found.length === 100,
    );
    await expect(dns("nope.shop.svc.cluster.local", "A")).rejects.toThrow("ENOTFOUND");
    await expect(dns("web.shop.svc.cluster.local", "AAAA")).rejects.toThrow("ENODATA");
    await expect(dns("example.org", "A")).rejects.toThrow("ENOTFOUND");
  });

  it("lets pods reach the ingress's names on 80 and 443 and names them to the backend", async () => {
    const got = await lab.act<Got>({
      do: "get",
      url: "http://10.128.0.1/x",
      from: CLIENT,
      headers: { host: `web.${APPS}` },
    });
    const seen = JSON.parse(got.body) as { headers: Record<string, string>; url: string };
    expect(seen.url).toBe("/x");
    expect(seen.headers).toMatchObject({
      "x-forwarded-for": CLIENT,
      "x-forwarded-proto": "http",
      "x-forwarded-port": "80",
      host: `web.${APPS}`,
    });
  });

  it("serves hosts of the ingress on sockets of the machine: HTTP, TLS, pages", async () => {
    const plain = await lab.listen({ kind: "http" });
    const secure = await lab.listen({ kind: "https" });
    const first = await eventually(
      () => hostGet(`http://127.0.0.1:${plain}/p?q=1`, `web.${APPS}`),
      (got) => got.status === 200,
    );
    expect(JSON.parse(first.body)).toMatchObject({ url: "/p?q=1" });
    const none = await hostGet(`http://127.0.0.1:${plain}/`, `none.${APPS}`);
    expect(none.status).toBe(503);
    expect(none.body).toContain("Service shop/none has no ready endpoint on port 80");
    const unknown = await hostGet(`http://127.0.0.1:${plain}/`, `typo.${APPS}`);
    expect(unknown.status).toBe(404);
    expect(unknown.body).toContain(`http://web.${APPS}:${plain}/`);
    const redirect = await hostGet(`http://127.0.0.1:${plain}/deep`, `edge.${APPS}`);
    expect([redirect.status, redirect.headers["location"]]).toEqual([302, `https://edge.${APPS}:8443/deep`]);
    const edge = await hostGet(`https://127.0.0.1:${secure}/deep`, `edge.${APPS}`);
    expect(JSON.parse(edge.body)).toMatchObject({ headers: { "x-forwarded-proto": "https" } });
    const reencrypted = await hostGet(`https://127.0.0.1:${secure}/`, `re.${APPS}`);
    expect(JSON.parse(reencrypted.body)).toMatchObject({ name: "tls" });
    const passed = await hostGet(`https://127.0.0.1:${secure}/`, `pass.${APPS}`, {
      ca: inner.cert,
      checkServerIdentity: () => undefined,
    });
    expect(JSON.parse(passed.body)).toMatchObject({ name: "tls" });
  });

  it("holds Services and the ingress to policies, and says so where a person reads it", async () => {
    const plain = await lab.listen({ kind: "http" });
    const web = (): Promise<Got> => hostGet(`http://127.0.0.1:${plain}/`, `web.${APPS}`);
    await eventually(web, (got) => got.status === 200);
    lab.apply({ policies: { "shop/deny": { pods: [A, B], ingress: [] } } });
    const refused = await eventually(web, (got) => got.status === 503);
    expect(refused.body).toContain("A NetworkPolicy keeps the ingress from Service shop/web on port 80");
    await expect(get("http://10.64.0.20/")).rejects.toThrow(/ECONNRESET/);
    lab.apply({ policies: { "shop/deny": { pods: [A, B], ingress: [{ peers: { ids: [CLIENT], blocks: [] } }] } } });
    await eventually(
      () => get("http://10.64.0.20/"),
      (got) => got.status === 200,
    );
    expect((await web()).status).toBe(503);
    lab.apply({ policies: { "shop/deny": null } });
    await eventually(web, (got) => got.status === 200);
  });

  it("gives a host a port of its own, for programs that do not resolve *.localhost", async () => {
    const port = await lab.listen({ kind: "host", hostname: `web.${APPS}` });
    const got = await eventually(
      () => hostGet(`http://127.0.0.1:${port}/`),
      (g) => g.status === 200,
    );
    expect(JSON.parse(got.body)).toMatchObject({ headers: { host: `127.0.0.1:${port}` } });
    const secure = await hostGet(`https://127.0.0.1:${port}/`);
    expect(secure.status).toBe(200);
  });

  it("carries bodies, upgrades and gRPC with its trailers", async () => {
    const plain = await lab.listen({ kind: "http" });
    const secure = await lab.listen({ kind: "https" });
    const posted = await eventually(
      () => hostPost(plain, `web.${APPS}`, "x".repeat(300_000)),
      (got) => got.status === 200,
    );
    expect(posted.headers["x-body-size"]).toBe("300000");
    expect(await upgraded(plain, `web.${APPS}`)).toBe("echo me");
    expect(await grpc(`http://127.0.0.1:${plain}`)).toEqual({ status: 200, grpc: "0", name: "grpc" });
    expect(await grpc(`https://127.0.0.1:${secure}`)).toEqual({ status: 200, grpc: "0", name: "grpc" });
  });

  it("serves NodePorts and dials of the API server", async () => {
    const port = await lab.listen({ kind: "service", service: "shop/web", port: 80 });
    const got = await eventually(
      () => hostGet(`http://127.0.0.1:${port}/`),
      (g) => g.status === 200,
    );
    expect(JSON.parse(got.body)).toHaveProperty("name");
    const text = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(lab.settings.socketPath, () => socket.write(`{"dial":["${A}",7000]}\nping`));
      let seen = "";
      socket.on("error", reject).on("data", (chunk) => {
        seen += chunk.toString();
        if (!seen.endsWith("ping")) return;
        socket.destroy();
        resolve(seen);
      });
    });
    expect(text).toMatch(/^\{"ok":true\}\na\|10\.128\.0\.\d+\|ping$/);
  });

  function hostGet(
    url: string,
    name?: string,
    options: https.RequestOptions = { rejectUnauthorized: false },
  ): Promise<Got> {
    return new Promise((resolve, reject) => {
      const client = url.startsWith("https:") ? https : http;
      const headers = name === undefined ? {} : { host: name };
      client
        .get(url, { agent: false, headers, servername: name ?? "", ...options }, (res) => collect(res, resolve))
        .on("error", reject);
    });
  }

  function collect(res: http.IncomingMessage, resolve: (got: Got) => void): void {
    let body = "";
    res.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    res.on("end", () => resolve({ status: res.statusCode ?? 0, body, headers: res.headers as Record<string, string> }));
  }

  function hostPost(port: number, name: string, body: string): Promise<Got> {
    return new Promise((resolve, reject) => {
      http
        .request({ port, host: "127.0.0.1", method: "POST", agent: false, headers: { host: name } }, (res) =>
          collect(res, resolve),
        )
        .on("error", reject)
        .end(body);
    });
  }

  function upgraded(port: number, name: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const req = http.request({
        port,
        host: "127.0.0.1",
        agent: false,
        headers: { host: name, connection: "Upgrade", upgrade: "test" },
      });
      req.on("error", reject).on("upgrade", (_res, socket) => {
        socket.write("echo me");
        socket.once("data", (chunk: Buffer) => {
          socket.destroy();
          resolve(chunk.toString());
        });
      });
      req.end();
    });
  }

  function grpc(base: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const session = http2.connect(base, { rejectUnauthorized: false, servername: `grpc.${APPS}` });
      session.on("error", reject);
      const stream = session.request({
        ":method": "POST",
        ":path": "/a.B/C",
        ":authority": `grpc.${APPS}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      let body = "";
      let status = 0;
      let trailer: unknown;
      stream.on("response", (headers) => (status = headers[":status"] ?? 0));
      stream.on("trailers", (trailers) => (trailer = trailers["grpc-status"]));
      stream.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      stream.on("end", () => {
        session.close();
        resolve({ status, grpc: trailer, name: (JSON.parse(body || "{}") as { name?: string }).name });
      });
      stream.on("error", reject);
      stream.end("body");
    });
  }
});
