import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { hostileText } from "./arbitrary-json.ts";
import { startFuzzServer, type FuzzServer } from "./fuzz-server.ts";
import { PARAMETERS, TIMEOUT_MS } from "./runs.ts";

let server: FuzzServer;
beforeAll(async () => void (server = await startFuzzServer()));
afterEach(() => server.stillServes());
afterAll(() => server.close());

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
    "secrets",
    "status",
    "scale",
    "log",
    "exec",
    "attach",
    "portforward",
    "proxy",
    "eviction",
    "binding",
    "token",
    "finalize",
    "approval",
    "watch",
    "openapi",
    "v2",
    "v3",
    "healthz",
    "livez",
    "readyz",
    "metrics",
    "version",
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    "batch",
    "jobs",
    "nodes",
    "",
    ".",
    "..",
    "%2e%2e",
    "%2F",
    "%00",
    "%",
    "%zz",
    "%ff",
    "a:b",
    "http:x:80",
    ";",
    "~",
    "x".repeat(5_000),
    "constructor",
    "__proto__",
    "toString",
  ),
  fc.string({ maxLength: 6 }).map(encodeURIComponent_),
);

function encodeURIComponent_(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return "%ED%A0%80";
  }
}

const path = fc.array(segment, { maxLength: 9 }).map((parts) => `/${parts.join("/")}`);
const method = fc.constantFrom(
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "get",
  "X",
);

it("answers any path with any method", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(method, path, fc.boolean(), async (verb, where, withBody) => {
      const body =
        withBody && verb !== "GET" && verb !== "HEAD"
          ? { body: "{}", headers: { "content-type": "application/json" } }
          : {};
      await server.hold({ method: verb, path: where, ...body });
    }),
    PARAMETERS,
  );
});

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  limit: ["1", "0", "-1", "500", "1e9", "99999999999999999999"],
  continue: ["", "x", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJcdTAwMDAifQ", "//8"],
  resourceVersion: ["", "0", "1", "-1", "abc", "999999999", "18446744073709551616", "1.5", " 1"],
  resourceVersionMatch: ["Exact", "NotOlderThan", "exact", ""],
  watch: ["true", "1", "false", "maybe", ""],
  allowWatchBookmarks: ["true", "false", "x"],
  sendInitialEvents: ["true", "false", "x"],
  timeoutSeconds: ["0", "1", "-1", "x", "9999999999999"],
  timeout: ["1s", "x", "-5m", "9999999h"],
  labelSelector: [
    "a=b",
    "a in (b,c)",
    "a notin ()",
    "!a",
    "a,,b",
    "a=(",
    "in in in",
    "a in (b",
    "=",
    "a==b=c",
    "x".repeat(70),
    "a!=b,c",
  ],
  fieldSelector: [
    "metadata.name=x",
    "spec.nodeName!=",
    "nope=1",
    "metadata.name",
    "a=b=c",
    "metadata.name=a\\,b",
    "status.phase=Running",
  ],
  dryRun: ["All", "all", "None", ""],
  fieldManager: ["x", "x".repeat(300), "\u0000", ""],
  fieldValidation: ["Strict", "Warn", "Ignore", "Nope"],
  force: ["true", "x"],
  pretty: ["true", "x"],
  propagationPolicy: ["Foreground", "Background", "Orphan", "Nope"],
  gracePeriodSeconds: ["0", "-1", "x", "99999999999999"],
  orphanDependents: ["true", "x"],
  includeObject: ["None", "Metadata", "Object", "x"],
  container: ["", "x", "\u0000"],
  command: ["sh", ""],
  follow: ["true", "x"],
  tailLines: ["-1", "x", "1"],
  sinceTime: ["x", "2020-01-01T00:00:00Z"],
  sinceSeconds: ["-1", "x"],
  limitBytes: ["0", "-1", "x"],
  ports: ["80", "x", "99999"],
  stdin: ["true", "x"],
};

const parameter = fc.oneof(
  fc.constantFrom(...Object.keys(KNOWN)).chain((name) =>
    fc
      .oneof(
        fc.constantFrom(...(KNOWN[name] ?? [])),
        hostileText.filter((text) => text.length < 1_000),
      )
      .map((value): [string, string] => [name, value]),
  ),
  fc.tuple(fc.string({ maxLength: 6 }), fc.string({ maxLength: 6 })),
);
const rawQuery = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(parameter, { maxLength: 5 })
      .map((pairs) =>
        new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value.toWellFormed()])).toString(),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "%",
      "%zz=1",
      "=&=&=",
      "a=%ff",
      "&&&",
      "watch",
      "?",
      "limit=1&limit=x",
      "watch=true&watch=false",
    ),
  },
);

const PLACES = [
  "/api/v1/namespaces/default/configmaps",
  "/api/v1/configmaps",
  "/api/v1/namespaces/default/pods",
  "/api/v1/pods",
  "/api/v1/nodes",
  "/api/v1/namespaces",
  "/apis/apps/v1/deployments",
  "/apis/apps/v1/namespaces/default/deployments/x",
  "/api/v1/namespaces/default/configmaps/seen",
  "/api/v1/watch/configmaps",
  "/api/v1/watch/namespaces/default/configmaps/seen",
  "/api/v1/namespaces/default/pods/x/log",
  "/api/v1/namespaces/default/pods/x/exec",
  "/api/v1/namespaces/default/pods/x/portforward",
  "/api/v1/namespaces/default/pods/x/proxy/y",
  "/api/v1/namespaces/default/services/http:x:80/proxy",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  "/openapi/v2",
  "/openapi/v3",
  "/openapi/v3/api/v1",
  "/apis",
  "/api",
  "/version",
  "/metrics",
  "/readyz",
  "/api/v1/namespaces/default/serviceaccounts/default/token",
  "/api/v1/componentstatuses",
];

it("answers any parameters of lists, watches, reads and deletions", { timeout: TIMEOUT_MS }, async () => {
  await server.ask({
    method: "POST",
    path: "/api/v1/namespaces/default/configmaps",
    headers: { "content-type": "application/json" },
    body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"seen"}}',
  });
  const verb = fc.constantFrom("GET", "GET", "GET", "GET", "DELETE", "POST", "PATCH");
  await fc.assert(
    fc.asyncProperty(verb, fc.constantFrom(...PLACES), rawQuery, async (how, where, query) => {
      // Nothing here may end the namespace that the other requests need.
      if (how === "DELETE" && where.endsWith("namespaces")) return;
      await server.hold({
        method: how,
        path: `${where}?${query}`,
        ...(how === "GET" ? {} : { headers: { "content-type": "application/merge-patch+json" }, body: "{}" }),
      });
    }),
    PARAMETERS,
  );
});

const HEADER_VALUES: Readonly<Record<string, readonly string[]>> = {
  accept: [
    "",
    "*/*",
    "application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Nope;v=v9;g=x",
    "application/yaml",
    "text/html",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "a/b;q=x",
    ";;;",
    ",,,",
    "application/json;q=0",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    `${"a/b,".repeat(500)}*/*`,
  ],
  "content-type": [
    "",
    "application/json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "x",
    ";",
    "application/json; charset",
  ],
  "accept-encoding": ["gzip", "br", "deflate, gzip;q=0", "*", "x;q=y", "gzip;q=2"],
  "content-encoding": ["gzip", "x"],
  authorization: [
    "",
    "Bearer",
    "Bearer ",
    "Basic x",
    "Bearer a.b.c",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer ..",
    `Bearer ${"x".repeat(8_000)}`,
    "bearer x",
  ],
  "impersonate-user": ["", "x", "system:serviceaccount:a:b", "system:serviceaccount::", "system:anonymous"],
  "impersonate-group": ["system:masters", ""],
  "impersonate-uid": ["x", ""],
  "impersonate-extra-a%2Fb": ["x"],
  "impersonate-extra-%zz": ["x"],
  "if-none-match": ['"x"', "*", ""],
  "if-match": ["x"],
  "user-agent": ["", "x".repeat(2_000)],
  "x-remote-user": ["admin"],
  "audit-id": ["x", "\t"],
  traceparent: ["00-0-0-0", "x"],
  range: ["bytes=0-1", "x"],
  expect: ["100-continue", "x"],
  "content-length": ["0", "1", "999999999", "-1", "x"],
};

const headers = fc
  .array(
    fc
      .constantFrom(...Object.keys(HEADER_VALUES))
      .chain((name) =>
        fc
          .oneof(fc.constantFrom(...(HEADER_VALUES[name] ?? [])), fc.string({ maxLength: 10 }))
          .map((value): [string, string] => [name, value]),
      ),
    { maxLength: 5 },
  )
  .map((pairs) => Object.fromEntries(pairs));

it("answers any headers", { timeout: TIMEOUT_MS }, async () => {
  const places = fc.constantFrom(
    "/api/v1/pods",
    "/api/v1/namespaces/default/configmaps/seen",
    "/apis",
    "/openapi/v2",
    "/openapi/v3/apis/apps/v1",
    "/version",
    "/api/v1/configmaps?watch=true",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "POST", "PATCH", "DELETE", "HEAD"),
      places,
      headers,
      fc.constantFrom("", "{}", "k8s\u0000", "x"),
      async (verb, where, sent, body) => {
        await server.hold({
          method: verb,
          path: where,
          headers: sent,
          ...(verb === "GET" || verb === "HEAD" ? {} : { body }),
        });
      },
    ),
    PARAMETERS,
  );
});

it("lets nobody in without credentials, whatever the path", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      method,
      path,
      fc.constantFrom("", "Bearer x", "Basic YTpi"),
      async (verb, where, authorization) => {
        const answer = await server.hold({ method: verb, path: where, headers: { authorization } });
        if (answer === undefined || /^\/+(healthz|livez|readyz|version)(\/|$)/.test(where)) return;
        expect([0, 400, 401, 403, 404, 405]).toContain(answer.status);
      },
    ),
    PARAMETERS,
  );
});
