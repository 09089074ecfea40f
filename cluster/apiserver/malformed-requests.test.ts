import http2 from "node:http2";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./testing/start-test-server.ts";

let test: TestServer;
let session: http2.ClientHttp2Session;
beforeAll(async () => {
  test = await startTestServer();
  session = http2.connect(test.url, { ca: test.caData });
  session.on("error", () => {});
});
afterAll(async () => {
  session.close();
  await test.close();
});

interface Answer {
  readonly code: number;
  readonly body: string;
}

function send(method: string, path: string, headers: Record<string, string>, body?: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = { ":method": method, ":path": path, authorization: `Bearer ${test.adminToken}`, ...headers };
    const stream = session.request(asked, { endStream: body === undefined });
    let code = 0;
    const chunks: Buffer[] = [];
    stream.on("response", (answer) => (code = Number(answer[":status"])));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve({ code, body: Buffer.concat(chunks).toString("utf8") }));
    stream.on("error", reject);
    if (body !== undefined) stream.end(body);
  });
}

/**
 * What is not there is refused by name (501), what lies in the future is waited for in vain (504), a version that is
 * no number is upstream's own 500: all else is 4xx.
 */
async function expectNoFault(answer: Promise<Answer>): Promise<void> {
  const { code, body } = await answer;
  const refused =
    code === 501 ||
    (code === 504 && body.includes("Too large resource version")) ||
    (code === 500 && body.includes("resourceVersion: Invalid value"));
  expect(refused || (code >= 200 && code < 500), `${code}: ${body}`).toBe(true);
}

const segment = fc.oneof(
  fc.constantFrom(
    "api",
    "apis",
    "v1",
    "apps",
    "namespaces",
    "default",
    "pods",
    "deployments",
    "configmaps",
    "watch",
    "status",
    "scale",
    "finalize",
    "x",
    "proxy",
    "log",
    "token",
    "openapi",
    "v2",
    "v3",
    "customresourcedefinitions",
    "apiextensions.k8s.io",
  ),
  fc.string({ maxLength: 8 }).map((text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/g, "?"))),
  fc.constantFrom("%", "%zz", "%00", "%2F", "..", "."),
);
const path = fc.array(segment, { maxLength: 8 }).map((parts) => `/${parts.join("/")}`);
const name = fc.constantFrom(
  "watch",
  "limit",
  "continue",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "allowWatchBookmarks",
  "labelSelector",
  "fieldSelector",
  "dryRun",
  "fieldManager",
  "fieldValidation",
  "force",
  "gracePeriodSeconds",
  "propagationPolicy",
  "includeObject",
  "pretty",
  "container",
  "tailLines",
);
const value = fc.oneof(
  fc.constantFrom(
    "true",
    "false",
    "0",
    "1",
    "-1",
    "All",
    "Exact",
    "NotOlderThan",
    "99999999999999999999",
    "a=b",
    "a in (b",
    "metadata.name=x",
    "Strict",
    "x".repeat(300),
  ),
  fc.string({ maxLength: 12 }),
);
const query = fc
  .array(fc.tuple(name, value), { maxLength: 4 })
  .map((pairs) =>
    pairs.map(([key, text]) => `${key}=${encodeURIComponent(text.replace(/[\ud800-\udfff]/g, "?"))}`).join("&"),
  );
const mediaType = fc.constantFrom(
  "application/json",
  "application/yaml",
  "application/vnd.kubernetes.protobuf",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
  "text/plain",
  "",
);
const accept = fc.constantFrom(
  "application/json",
  "application/yaml",
  "*/*",
  "text/html",
  "application/json;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
  ";;;=,",
  "application/json;q=abc",
);

const metadata = fc.oneof(
  fc.record(
    {
      name: fc.oneof(fc.constantFrom("a", "b"), fc.jsonValue()),
      namespace: fc.oneof(fc.constant("default"), fc.jsonValue()),
      labels: fc.jsonValue(),
      annotations: fc.jsonValue(),
      finalizers: fc.jsonValue(),
      ownerReferences: fc.jsonValue(),
      managedFields: fc.jsonValue(),
      resourceVersion: fc.jsonValue(),
    },
    { requiredKeys: ["name"] },
  ),
  fc.jsonValue(),
);
const object = fc.record(
  {
    apiVersion: fc.constantFrom("v1", "apps/v1", "nope"),
    kind: fc.constantFrom("ConfigMap", "Pod", "Deployment", "Service", "Namespace"),
    metadata,
    spec: fc.jsonValue(),
    status: fc.jsonValue(),
    data: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.concat([Buffer.from("k8s\0"), bytes])),
  fc.jsonValue().map((json) => Buffer.from(JSON.stringify(json))),
  object.map((json) => Buffer.from(JSON.stringify(json))),
  fc.string({ maxLength: 40 }).map((text) => Buffer.from(text)),
  fc
    .array(
      fc.record(
        {
          op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"),
          path: fc.constantFrom("", "/", "/metadata", "/metadata/name", "/data/a", "/__proto__/x", "/spec/-"),
          value: fc.jsonValue(),
          from: fc.constantFrom("/data", "/nope"),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 4 },
    )
    .map((json) => Buffer.from(JSON.stringify(json))),
);
const resource = fc.constantFrom(
  "/api/v1/namespaces/default/configmaps",
  "/api/v1/namespaces/default/pods",
  "/api/v1/namespaces/default/services",
  "/api/v1/namespaces",
  "/apis/apps/v1/namespaces/default/deployments",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
  "/apis/events.k8s.io/v1/namespaces/default/events",
  "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles",
);

describe("malformed requests never get a 500", () => {
  const RUNS = { numRuns: 250 };

  it("whatever the path and query", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"),
        path,
        query,
        accept,
        async (method, at, asked, accepted) => {
          await expectNoFault(
            send(
              method,
              `${at}?${asked}&timeoutSeconds=0`,
              { accept: accepted },
              method === "GET" ? undefined : Buffer.from("{}"),
            ),
          );
        },
      ),
      RUNS,
    );
  });

  it("whatever a watch or list asks for", async () => {
    await fc.assert(
      fc.asyncProperty(resource, query, accept, async (at, asked, accepted) => {
        await expectNoFault(send("GET", `${at}?${asked}&timeoutSeconds=0`, { accept: accepted }));
      }),
      RUNS,
    );
  });

  it("whatever the body", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("POST", "PUT", "PATCH", "DELETE"),
        resource,
        fc.constantFrom("", "/a", "/a/status", "/a/scale"),
        mediaType,
        query,
        body,
        async (method, at, rest, contentType, asked, bytes) => {
          const headers: Record<string, string> = contentType === "" ? {} : { "content-type": contentType };
          await expectNoFault(
            send(method, `${at}${method === "POST" ? "" : rest === "" ? "/a" : rest}?${asked}`, headers, bytes),
          );
        },
      ),
      { numRuns: 600 },
    );
  });

  it("and a body above the limit gets a 413", async () => {
    const { code } = await send(
      "POST",
      "/api/v1/namespaces/default/configmaps",
      { "content-type": "application/json" },
      Buffer.alloc(3 * 1024 * 1024 + 1, 0x20),
    );
    expect(code).toBe(413);
  });

  it("and the server goes on", async () => {
    expect(await send("GET", "/readyz", {})).toEqual({ code: 200, body: "ok" });
  });
});
