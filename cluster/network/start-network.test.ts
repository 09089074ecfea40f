import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createLogger,
  silentLogger,
  ENDPOINT_SLICES,
  INGRESSES,
  NAMESPACES,
  SERVICES,
  type EndpointSlice,
  type Ingress,
  type KubeObject,
  type Service,
} from "@travelops/kube";
import { eventually, startApiUnderTest, type ApiUnderTest } from "../../test/api-under-test.ts";
import {
  GATEWAYS,
  GATEWAY_CLASSES,
  HTTP_ROUTES,
  REFERENCE_GRANTS,
  ROUTES,
  type Gateway,
  type HttpRoute,
  type Route,
} from "./controllers/types.ts";
import { LOCAL_URL_ANNOTATION } from "./controllers/status-intents.ts";
import type { NetworkDaemon } from "./network-host.ts";
import { startNetwork, type Network } from "./start-network.ts";
import { testCertificate } from "./testing/certificate.ts";
import { canUnshare, netnsHost, type TestHost } from "./testing/netns-host.ts";
import { startActor, type Lab } from "./testing/network-lab.ts";

const APPS = "apps.hub.travelops.localhost";
const POD = "10.128.0.5";

describe.skipIf(!canUnshare())("the network of a cluster", () => {
  let api: ApiUnderTest;
  let host: TestHost;
  let network: Network;
  let act: Lab["act"];
  let dataplane: NetworkDaemon | undefined;
  let patches = 0;
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "travelops-network-"));
  const certificate = testCertificate([`*.${APPS}`]);

  const start = (): Promise<Network> =>
    startNetwork({
      client: {
        ...api.client,
        patch(...args) {
          patches++;
          return api.client.patch(...args);
        },
      },
      host: {
        ...host,
        async runDaemon(spec) {
          const daemon = await host.runDaemon(spec);
          dataplane = daemon;
          return daemon;
        },
      },
      cluster: {
        name: "hub",
        podRange: "10.128.0.0/16",
        serviceRange: "10.64.0.0/16",
        domain: "cluster.local",
      },
      ingress: { http: [0], https: [0] },
      certificate,
      log: process.env.DBG ? createLogger({}) : silentLogger,
      socketPath: path.join(dir, "dataplane.sock"),
    });

  beforeAll(async () => {
    api = await startApiUnderTest();
    host = await netnsHost({ local: ["10.0.0.0/8"], addresses: ["10.128.0.1", POD] });
    act = await startActor(host);
    await act({ do: "http", ip: POD, port: 8000, name: "web" });
    network = await start();
    await network.ingressReady;
    for (const name of ["shop", "edge"])
      await api.client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    await api.client.create(SERVICES, service("web"));
    await api.client.create(ENDPOINT_SLICES, slice("web"));
  }, 60_000);

  afterAll(async () => {
    await network?.close();
    host?.close();
    await api?.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  const service = (name: string, extra: Partial<Service["spec"]> = {}): Service => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { ports: [{ name: "http", port: 80, targetPort: 8000 }], ...extra },
  });
  const slice = (name: string): EndpointSlice => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [POD], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8000, protocol: "TCP" }],
  });
  const get = (url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const client = url.startsWith("https:") ? https : http;
      client
        .get(url, { agent: false, headers, rejectUnauthorized: false, servername: headers["host"] ?? "" }, (res) => {
          let body = "";
          res.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
          res.on("end", () => resolve({ status: res.statusCode ?? 0, body })).on("error", reject);
        })
        .on("error", reject);
    });
  const localUrl = async (read: () => Promise<KubeObject>): Promise<string> =>
    eventually(async () => (await read()).metadata.annotations?.[LOCAL_URL_ANNOTATION]);
  const condition = (
    list: readonly { type: string; status: string; reason?: string }[] | undefined,
    type: string,
  ): string => {
    const found = list?.find((c) => c.type === type);
    return `${found?.status ?? "?"} ${found?.reason ?? ""}`;
  };

  it("serves Services inside and dials pods from outside", async () => {
    const { spec } = await api.client.get(SERVICES, "shop", "web");
    const got = await eventually(() =>
      act<{ status: number }>({ do: "get", url: `http://${spec.clusterIP ?? ""}/`, from: POD }),
    );
    expect(got.status).toBe(200);
    const socket = await network.dial("web.shop", 80);
    socket.write("GET / HTTP/1.0\r\n\r\n");
    const chunks = await socket.toArray();
    expect(Buffer.concat(chunks).toString()).toContain('"name":"web"');
    await expect(network.dial(POD, 9)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("admits a Route, names its host, and serves it by name and on a port of its own", async () => {
    await api.client.create(ROUTES, {
      apiVersion: "route.openshift.io/v1",
      kind: "Route",
      metadata: { name: "web", namespace: "shop" },
      spec: { to: { kind: "Service", name: "web" } },
    } as Route);
    const route = await eventually(async () => {
      const found = await api.client.get(ROUTES, "shop", "web");
      return found.status?.ingress?.[0] !== undefined && found;
    });
    expect(route.spec.host).toBe(`web-shop.${APPS}`);
    expect(route.status?.ingress?.[0]).toMatchObject({
      host: `web-shop.${APPS}`,
      routerName: "default",
      conditions: [{ type: "Admitted", status: "True" }],
    });
    const named = await eventually(() =>
      get(`http://127.0.0.1:${network.ports.http}/`, { host: `web-shop.${APPS}` }).then(
        (got) => got.status === 200 && got,
      ),
    );
    expect(named.body).toContain('"name":"web"');
    const url = await localUrl(() => api.client.get(ROUTES, "shop", "web"));
    expect((await get(url)).status).toBe(200);
    expect(network.urls()).toContainEqual(
      expect.objectContaining({
        name: "web",
        kind: "Route",
        url: `http://web-shop.${APPS}:${network.ports.http}/`,
        localUrl: `${url}/`,
      }),
    );
  });

  it("refuses a host that another namespace holds", async () => {
    await api.client.create(ROUTES, {
      apiVersion: "route.openshift.io/v1",
      kind: "Route",
      metadata: { name: "thief", namespace: "edge" },
      spec: { host: `web-shop.${APPS}`, to: { kind: "Service", name: "web" } },
    } as Route);
    const route = await eventually(async () => {
      const found = await api.client.get(ROUTES, "edge", "thief");
      return found.status?.ingress?.[0] !== undefined && found;
    });
    expect(condition(route.status?.ingress?.[0]?.conditions, "Admitted")).toBe("False HostAlreadyClaimed");
  });

  it("programs a Gateway of class istio and its HTTPRoute, with references across namespaces by grant", async () => {
    await api.client.create(GATEWAYS, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { name: "entry", namespace: "edge" },
      spec: { gatewayClassName: "istio", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
    } as Gateway);
    await api.client.create(HTTP_ROUTES, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "web", namespace: "edge" },
      spec: {
        parentRefs: [{ name: "entry" }],
        rules: [{ backendRefs: [{ name: "web", namespace: "shop", port: 80 }] }],
      },
    } as HttpRoute);
    const reads = (): Promise<HttpRoute> => api.client.get(HTTP_ROUTES, "edge", "web");
    const refused = await eventually(async () => (await reads()).status?.parents?.[0]);
    expect([condition(refused.conditions, "Accepted"), condition(refused.conditions, "ResolvedRefs")]).toEqual([
      "True Accepted",
      "False RefNotPermitted",
    ]);
    await api.client.create(REFERENCE_GRANTS, {
      apiVersion: "gateway.networking.k8s.io/v1beta1",
      kind: "ReferenceGrant",
      metadata: { name: "edge", namespace: "shop" },
      spec: {
        from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "edge" }],
        to: [{ group: "", kind: "Service" }],
      },
    });
    await eventually(
      async () => condition((await reads()).status?.parents?.[0]?.conditions, "ResolvedRefs") === "True ResolvedRefs",
    );
    const gateway = await eventually(async () => {
      const found = await api.client.get(GATEWAYS, "edge", "entry");
      return condition(found.status?.conditions, "Programmed") === "True Programmed" && found;
    });
    expect(gateway.status).toMatchObject({
      addresses: [{ type: "Hostname", value: `entry-edge.${APPS}` }],
      listeners: [{ name: "http", attachedRoutes: 1 }],
    });
    expect(condition((await api.client.get(GATEWAY_CLASSES, "", "istio")).status?.conditions, "Accepted")).toBe(
      "True Accepted",
    );
    const url = await localUrl(() => api.client.get(GATEWAYS, "edge", "entry"));
    await eventually(() => get(url).then((got) => got.status === 200));
    // A Gateway without host names answers any; names of our own domain that nobody has stay unknown.
    expect((await get(`http://127.0.0.1:${network.ports.http}/`)).status).toBe(200);
    expect((await get(`http://127.0.0.1:${network.ports.http}/`, { host: `typo.${APPS}` })).status).toBe(404);
  });

  it("serves Ingress and LoadBalancer Services", async () => {
    await api.client.create(INGRESSES, {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "web", namespace: "shop" },
      spec: {
        rules: [
          {
            host: "web.example",
            http: {
              paths: [
                {
                  path: "/in",
                  pathType: "Prefix",
                  backend: { service: { name: "web", port: { name: "http" } } },
                },
              ],
            },
          },
        ],
      },
    } as Ingress);
    await eventually(() =>
      get(`http://127.0.0.1:${network.ports.http}/in/x`, { host: "web.example" }).then((got) => got.status === 200),
    );
    expect((await get(`http://127.0.0.1:${network.ports.http}/inx`, { host: "web.example" })).status).toBe(404);
    await eventually(
      async () =>
        (await api.client.get(INGRESSES, "shop", "web")).status?.loadBalancer?.ingress?.[0]?.ip === "127.0.0.1",
    );
    await api.client.create(SERVICES, service("public", { type: "LoadBalancer" }));
    await api.client.create(ENDPOINT_SLICES, slice("public"));
    await eventually(
      async () =>
        (await api.client.get(SERVICES, "shop", "public")).status?.loadBalancer?.ingress?.[0]?.ip === "127.0.0.1",
    );
    const url = await localUrl(() => api.client.get(SERVICES, "shop", "public"));
    await eventually(() => get(url).then((got) => got.status === 200));
  });

  it("leads pods out through its proxy, and not to this machine's loopback", async () => {
    const env = network.egressEnv();
    expect(env["HTTP_PROXY"]).toBe("http://10.128.0.1:3128");
    const outside = http.createServer((_req, res) => res.end("out")).listen(0, "127.0.0.1");
    await new Promise((resolve) => outside.once("listening", resolve));
    const { port } = outside.address() as { port: number };
    const through = (target: string): Promise<{ status: number; body: string }> =>
      act({ do: "get", url: "http://10.128.0.1:3128/", path: target, from: POD });
    expect((await through(`http://127.0.0.1:${port}/`)).status).toBe(403);
    expect((await through("http://web.shop/")).body).toContain('"name":"web"');
    outside.close();
  });

  it("comes back when its dataplane is killed, on the same ports", async () => {
    const url = await localUrl(() => api.client.get(ROUTES, "shop", "web"));
    dataplane?.kill();
    await eventually(() => get(url).then((got) => got.status === 200));
    await eventually(() =>
      get(`http://127.0.0.1:${network.ports.http}/`, { host: `web-shop.${APPS}` }).then((got) => got.status === 200),
    );
    expect((await api.client.get(ROUTES, "shop", "web")).metadata.annotations?.[LOCAL_URL_ANNOTATION]).toBe(url);
  });

  it("keeps local ports when the whole network starts again, and forgets hosts that are gone", async () => {
    const url = await localUrl(() => api.client.get(ROUTES, "shop", "web"));
    await network.close();
    network = await start();
    await network.ingressReady;
    await eventually(() => get(url).then((got) => got.status === 200));
    await api.client.delete(ROUTES, "shop", "web");
    await api.client.delete(ROUTES, "edge", "thief");
    expect(
      await eventually(() =>
        get(url).then(
          () => undefined,
          (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED" && error.code,
        ),
      ),
    ).toBe("ECONNREFUSED");
  });

  it("has written each status and annotation once or twice, not round and round", () => {
    expect(patches).toBeLessThan(40);
  });
});
