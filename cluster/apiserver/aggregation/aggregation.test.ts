import { connect } from "node:net";
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { API_SERVICES, SERVICES } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import type { NodeAccess } from "../api-server.ts";
import { openPki, type ClusterPki } from "../pki/cluster-pki.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

const GROUP = "wardle.example.com";
const FLUNDERS: Resource = { group: GROUP, version: "v1", resource: "flunders", kind: "Flunder", namespaced: true };
const ENDPOINT_SLICES: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  resource: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};

let directory: string;
let pki: ClusterPki;
let server: TestServer;
let client: KubeClient;
let extension: https.Server;
/** The last request that came through. */
let seen: { headers: IncomingMessage["headers"]; subject: string | undefined; url: string; method: string } | undefined;

const flunder = (name: string) => ({
  apiVersion: `${GROUP}/v1`,
  kind: "Flunder",
  metadata: { name, namespace: "default", resourceVersion: "1" },
});

const reference = (name: string) => ({ $ref: `#/definitions/${name}` });
const FLUNDER_PATH = `/apis/${GROUP}/v1/namespaces/{namespace}/flunders`;
const META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/** As an extension server describes itself: with types of ours in its own words, and more than it is asked for. */
const OPENAPI_V2 = {
  swagger: "2.0",
  info: { title: "wardle", version: "v1" },
  paths: {
    [FLUNDER_PATH]: {
      get: {
        operationId: "listFlunder",
        responses: { "200": { description: "OK", schema: reference("wardle.Flunder") } },
      },
    },
    "/apis/apps/v1/deployments": { get: { responses: { "200": { schema: reference("wardle.Unasked") } } } },
  },
  definitions: {
    "wardle.Flunder": { type: "object", properties: { metadata: reference(META), spec: reference("wardle.Spec") } },
    "wardle.Spec": { type: "object", properties: { self: reference("wardle.Spec") } },
    "wardle.Unasked": { type: "object" },
    [META]: { type: "object", description: "wardle's own words" },
  },
};

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const peer = (req.socket as TLSSocket).getPeerCertificate();
  const url = req.url ?? "";
  seen = { headers: req.headers, subject: String(peer.subject?.CN ?? ""), url, method: req.method ?? "" };
  const json = (value: unknown, code = 200): void => {
    res.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  if (url === `/apis/${GROUP}/v1`)
    return json({
      kind: "APIResourceList",
      groupVersion: `${GROUP}/v1`,
      resources: [
        {
          name: "flunders",
          singularName: "flunder",
          namespaced: true,
          kind: "Flunder",
          verbs: ["get", "list"],
          shortNames: ["fl"],
        },
        { name: "flunders/status", singularName: "", namespaced: true, kind: "Flunder", verbs: ["get"] },
      ],
    });
  if (url === "/openapi/v3")
    return json({ paths: { [`apis/${GROUP}/v1`]: { serverRelativeURL: `/openapi/v3/apis/${GROUP}/v1?hash=AB` } } });
  if (url === "/openapi/v2") return json(OPENAPI_V2);
  if (url.startsWith("/openapi/v3/")) return json({ openapi: "3.0.0", info: { title: "wardle" } });
  if (url.includes("watch=true")) {
    res.writeHead(200, { "content-type": "application/json" });
    res.write(`${JSON.stringify({ type: "ADDED", object: flunder("one") })}\n`);
    return;
  }
  if (req.method === "POST") {
    const parts: Buffer[] = [];
    for await (const part of req as AsyncIterable<Buffer>) parts.push(part);
    return json(JSON.parse(Buffer.concat(parts).toString("utf8")), 201);
  }
  if (url.endsWith("/flunders/nobody"))
    return json(
      { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", message: "no flunder", code: 404 },
      404,
    );
  return json({ kind: "FlunderList", apiVersion: `${GROUP}/v1`, metadata: {}, items: [flunder("one")] });
}

const condition = async (): Promise<{ status?: string; reason?: string; message?: string }> => {
  const found = await client.get(API_SERVICES, "", `v1.${GROUP}`);
  const [first] =
    (found["status"] as { conditions?: { status: string; reason: string; message: string }[] }).conditions ?? [];
  return first ?? {};
};

/** Over the socket, as kubectl does it. */
const get = async (url: string, headers: Record<string, string> = {}, method = "GET") =>
  new Promise<{ code: number; body: string; headers: IncomingMessage["headers"] }>((resolve, reject) => {
    https
      .request(
        `${server.url}${url}`,
        { method, ca: server.caData, headers: { authorization: `Bearer ${server.adminToken}`, ...headers } },
        (res) => {
          let body = "";
          res.on("data", (chunk: Buffer) => (body += chunk.toString()));
          res.on("end", () => resolve({ code: res.statusCode ?? 0, body, headers: res.headers }));
        },
      )
      .on("error", reject)
      .end();
  });

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "travelops-aggregation-"));
  pki = await openPki({ dir: directory, clock: systemClock, clusterName: "x", serviceAddress: "10.64.0.1" });
  const serving = await pki.issueServer("wardle", ["wardle.default.svc"]);
  server = await startTestServer({ frontProxy: pki.frontProxy });
  client = server.client();
  extension = https.createServer(
    { cert: serving.cert, key: serving.key, ca: pki.frontProxy.ca, requestCert: true, rejectUnauthorized: true },
    (req, res) => void answer(req, res),
  );
  extension.on("upgrade", (req, socket) => {
    seen = { headers: req.headers, subject: "", url: req.url ?? "", method: req.method ?? "" };
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => extension.listen(0, "127.0.0.1", resolve));
  const { port } = extension.address() as AddressInfo;
  const dialAddress = async (_host: string, servicePort: number) => {
    if (servicePort !== 443) throw Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
    return connect(port, "127.0.0.1");
  };
  server.server.setNodeAccess({ dialAddress } as unknown as NodeAccess);
});

afterAll(async () => {
  await server.close();
  extension.closeAllConnections();
  extension.close();
  rmSync(directory, { recursive: true, force: true });
});

test("an APIService says step by step what it lacks, until its server answers", async () => {
  await client.create(API_SERVICES, {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `v1.${GROUP}` },
    spec: {
      group: GROUP,
      version: "v1",
      service: { name: "wardle", namespace: "default" },
      groupPriorityMinimum: 100,
      versionPriority: 10,
    },
  });
  await expect.poll(condition).toMatchObject({
    status: "False",
    reason: "ServiceNotFound",
    message: 'service/wardle in "default" is not present',
  });
  expect(await get(`/apis/${GROUP}/v1/flunders`)).toMatchObject({ code: 503, body: "service unavailable\n" });
  const spec = { clusterIP: "10.64.0.9", ports: [{ name: "api", port: 80 }] };
  await client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "wardle", namespace: "default" },
    spec,
  });
  await expect.poll(condition).toMatchObject({
    reason: "ServicePortError",
    message: 'service/wardle in "default" is not listening on port 443',
  });
  await client.patch(SERVICES, "default", "wardle", "application/merge-patch+json", {
    spec: { ports: [{ name: "api", port: 443 }] },
  });
  await expect.poll(condition).toMatchObject({ reason: "EndpointsNotFound" });
  const slice: KubeObject = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "wardle", namespace: "default", labels: { "kubernetes.io/service-name": "wardle" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.128.0.5"], conditions: { ready: true } }],
    ports: [{ name: "api", port: 8443, protocol: "TCP" }],
  };
  await client.create(ENDPOINT_SLICES, slice);
  // The authority of its certificate is not known yet.
  await expect.poll(condition).toMatchObject({
    reason: "FailedDiscoveryCheck",
    message: expect.stringContaining(
      `failing or missing response from https://wardle.default.svc:443/apis/${GROUP}/v1: `,
    ),
  });
  const caBundle = Buffer.from(pki.ca).toString("base64");
  await client.patch(API_SERVICES, "", `v1.${GROUP}`, "application/merge-patch+json", { spec: { caBundle } });
  await expect.poll(condition).toMatchObject({ status: "True", reason: "Passed", message: "all checks passed" });
});

test("requests arrive with the user's name, by the front proxy's certificate, without the client's credentials", async () => {
  const reply = await get(`/apis/${GROUP}/v1/namespaces/default/flunders?limit=5&x=a%20b`, {
    "impersonate-user": "ann",
    "impersonate-group": "system:masters",
    "impersonate-extra-scopes.example.com%2fa": "view",
    "x-remote-user": "somebody-else",
  });
  expect(reply.code).toBe(200);
  expect(JSON.parse(reply.body)).toMatchObject({ kind: "FlunderList" });
  expect(seen).toMatchObject({
    subject: "front-proxy-client",
    url: `/apis/${GROUP}/v1/namespaces/default/flunders?limit=5&x=a+b`,
    headers: {
      host: "wardle.default.svc",
      "x-remote-user": "ann",
      "x-remote-group": "system:masters, system:authenticated",
      "x-remote-extra-scopes.example.com%2fa": "view",
    },
  });
  expect(seen?.headers).not.toHaveProperty("authorization");
  expect(seen?.headers).not.toHaveProperty("impersonate-user");
});

test("who may not is refused before anybody is asked", async () => {
  seen = undefined;
  const reply = await get(`/apis/${GROUP}/v1/flunders`, { "impersonate-user": "ann" });
  expect(reply.code).toBe(403);
  expect(reply.body).toContain('cannot list resource \\"flunders\\" in API group \\"wardle.example.com\\"');
  expect(seen).toBeUndefined();
});

test("clients inside the process see objects, faults and events of it", async () => {
  const list = await client.list(FLUNDERS, { namespace: "default" });
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(["one"]);
  await expect(client.get(FLUNDERS, "default", "nobody")).rejects.toMatchObject({ code: 404, reason: "NotFound" });
  const made = await client.create(FLUNDERS, flunder("two") as KubeObject);
  expect(made.metadata.name).toBe("two");
});

test("a watch passes each event on as it comes", async () => {
  const stop = new AbortController();
  const events = server.server
    .clientFor({ name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] })
    .transport.watch({ method: "GET", path: `/apis/${GROUP}/v1/flunders`, signal: stop.signal });
  for await (const event of events) {
    expect(event).toMatchObject({ type: "ADDED", object: { metadata: { name: "one" } } });
    break;
  }
  stop.abort();
});

test("discovery tells of it in both forms, and so does the index of OpenAPI", async () => {
  const groups = JSON.parse((await get("/apis")).body) as { groups: { name: string }[] };
  expect(groups.groups.at(-1)).toEqual({
    name: GROUP,
    versions: [{ groupVersion: `${GROUP}/v1`, version: "v1" }],
    preferredVersion: { groupVersion: `${GROUP}/v1`, version: "v1" },
  });
  expect(JSON.parse((await get(`/apis/${GROUP}`)).body)).toMatchObject({ kind: "APIGroup", name: GROUP });
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const aggregated = await get("/apis", { accept });
  const { items } = JSON.parse(aggregated.body) as { items: unknown[] };
  expect(items.at(-1)).toEqual({
    metadata: { name: GROUP },
    versions: [
      {
        version: "v1",
        freshness: "Current",
        resources: [
          {
            resource: "flunders",
            responseKind: { group: GROUP, version: "v1", kind: "Flunder" },
            scope: "Namespaced",
            singularResource: "flunder",
            verbs: ["get", "list"],
            shortNames: ["fl"],
            subresources: [
              { subresource: "status", responseKind: { group: GROUP, version: "v1", kind: "Flunder" }, verbs: ["get"] },
            ],
          },
        ],
      },
    ],
  });
  const again = await get("/apis", { accept, "if-none-match": String(aggregated.headers.etag) });
  expect(again.code).toBe(304);
  const index = JSON.parse((await get("/openapi/v3")).body) as { paths: Record<string, unknown> };
  expect(index.paths[`apis/${GROUP}/v1`]).toEqual({ serverRelativeURL: `/openapi/v3/apis/${GROUP}/v1?hash=AB` });
  expect((await get(`/openapi/v3/apis/${GROUP}/v1?hash=AB`)).body).toContain("wardle");
});

test("OpenAPI v2 describes what it serves, and nothing else that it says", async () => {
  const { body, headers } = await get("/openapi/v2");
  const { paths, definitions } = JSON.parse(body) as {
    paths: Record<string, unknown>;
    definitions: Record<string, unknown>;
  };
  expect(paths[FLUNDER_PATH]).toEqual(OPENAPI_V2.paths[FLUNDER_PATH]);
  expect(paths["/apis/apps/v1/deployments"]).toMatchObject({ get: { tags: ["apps_v1"] } });
  expect(definitions["wardle.Flunder"]).toEqual(OPENAPI_V2.definitions["wardle.Flunder"]);
  expect(definitions["wardle.Spec"]).toEqual(OPENAPI_V2.definitions["wardle.Spec"]);
  expect(definitions["wardle.Unasked"]).toBeUndefined();
  expect(JSON.stringify(definitions[META])).not.toContain("wardle");
  expect((await get("/openapi/v2", { "if-none-match": String(headers.etag) })).code).toBe(304);
  const protobuf = await get("/openapi/v2", { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" });
  expect(protobuf.body).toContain("listFlunder");
});

test("an upgraded connection is joined with the server's", async () => {
  const said = await new Promise<string>((resolve, reject) => {
    const request = https.request(`${server.url}/apis/${GROUP}/v1/namespaces/default/flunders/one/talk`, {
      ca: server.caData,
      headers: { authorization: `Bearer ${server.adminToken}`, connection: "Upgrade", upgrade: "test" },
    });
    request.on("upgrade", (_res, socket) => {
      socket.on("data", (chunk: Buffer) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.write("hello");
    });
    request.on("error", reject);
    request.end();
  });
  expect(said).toBe("hello");
  expect(seen?.headers["x-remote-user"]).toBeDefined();
});

test("extension servers find out how requests are proven to come from here", async () => {
  const config = await get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication");
  const { data } = JSON.parse(config.body) as { data: Record<string, string> };
  expect(data["requestheader-client-ca-file"]).toBe(pki.frontProxy.ca);
  expect(data).toMatchObject({
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
  });
});

test("one without a Service is always available", async () => {
  const spec = { group: "local.example.com", version: "v1", groupPriorityMinimum: 1, versionPriority: 1 };
  const name = "v1.local.example.com";
  await client.create(API_SERVICES, {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name },
    spec,
  });
  await expect
    .poll(async () => (await client.get(API_SERVICES, "", name))["status"])
    .toMatchObject({ conditions: [{ type: "Available", status: "True", reason: "Local" }] });
});

test("without its Service it is unavailable again, and deleted it is gone", async () => {
  await client.delete(SERVICES, "default", "wardle");
  await expect.poll(condition).toMatchObject({ status: "False", reason: "ServiceNotFound" });
  expect((await get(`/apis/${GROUP}/v1/flunders`)).code).toBe(503);
  await client.delete(API_SERVICES, "", `v1.${GROUP}`);
  await expect.poll(async () => (await get(`/apis/${GROUP}/v1/flunders`)).code).toBe(404);
});
