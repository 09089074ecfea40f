import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONFIG_MAPS, SECRETS } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import { parseRequestInfo } from "../request/request-info.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import type { Auditor } from "./auditor.ts";
import { openAudit } from "./open-audit.ts";
import { parsePolicy, scopeOf, type Level } from "./policy.ts";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [system:kube-scheduler]
- level: RequestResponse
  verbs: [create, patch]
  resources:
  - group: ""
    resources: [configmaps]
  namespaces: [default]
- level: Metadata
  nonResourceURLs: ["/version*"]
  omitStages: [ResponseComplete]
- level: Request
  resources:
  - group: ""
`;

describe("a server with a policy", () => {
  let directory: string;
  let auditor: Auditor;
  let server: TestServer;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "travelops-audit-"));
    writeFileSync(path.join(directory, "audit-policy.yaml"), POLICY);
    const opened = await openAudit({ dir: directory, clock: systemClock, log: silentLogger });
    if (opened === undefined) throw new Error("the policy was not found");
    auditor = opened;
    server = await startTestServer({ audit: auditor });
  });
  afterAll(async () => {
    await server.close();
    await auditor.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const events = (): (Record<string, unknown> & { readonly user?: { readonly username?: string } })[] => {
    try {
      return readFileSync(path.join(directory, "audit", "audit.log"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    } catch {
      return [];
    }
  };
  const eventOf = async (id: string): Promise<Record<string, unknown>> => {
    await expect.poll(() => events().some(({ auditID }) => auditID === id)).toBe(true);
    return events().find(({ auditID }) => auditID === id) ?? {};
  };

  const ask = (url: string, headers: Record<string, string>, method = "GET", body?: object) =>
    new Promise<{ code: number; id: string; body: string }>((resolve, reject) => {
      const options = {
        method,
        ca: server.caData,
        headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json", ...headers },
      };
      const request = https.request(`${server.url}${url}`, options, (res) => {
        let body = "";
        res.setEncoding("utf8");
        res.on("data", (chunk: string) => (body += chunk));
        res.on("end", () => resolve({ code: res.statusCode ?? 0, id: String(res.headers["audit-id"]), body }));
      });
      request.on("error", reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });

  test("who did what to which object, with both bodies where the rule wants them, without managed fields", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "seen" }, data: { a: "b" } };
    const { id, code } = await ask(
      "/api/v1/namespaces/default/configmaps?fieldManager=me",
      { "user-agent": "tester/1" },
      "POST",
      object,
    );
    expect(code).toBe(201);
    const event = await eventOf(id);
    expect(event).toMatchObject({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: "RequestResponse",
      stage: "ResponseComplete",
      requestURI: "/api/v1/namespaces/default/configmaps?fieldManager=me",
      verb: "create",
      sourceIPs: ["127.0.0.1"],
      userAgent: "tester/1",
      objectRef: { resource: "configmaps", namespace: "default", apiVersion: "v1" },
      responseStatus: { metadata: {}, code: 201 },
      requestObject: object,
      responseObject: { metadata: { name: "seen", namespace: "default" }, data: { a: "b" } },
      annotations: { "authorization.k8s.io/decision": "allow" },
    });
    expect(JSON.stringify(event)).not.toContain("managedFields");
  });

  test("an impersonated user stands beside the real one; a refusal is a forbid with its status", async () => {
    const { id } = await ask("/api/v1/namespaces/default/pods/x", {
      "impersonate-user": "ann",
      "audit-id": "my-own-id",
    });
    expect(id).toBe("my-own-id");
    expect(await eventOf("my-own-id")).toMatchObject({
      level: "Request",
      verb: "get",
      impersonatedUser: { username: "ann", groups: ["system:authenticated"] },
      objectRef: { resource: "pods", name: "x" },
      responseStatus: { status: "Failure", reason: "Forbidden", code: 403 },
      annotations: { "authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "" },
    });
  });

  test("the values of a Secret are not written where no rule names Secrets", async () => {
    const value = Buffer.from("topsecret").toString("base64");
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "default" }, data: { value } };
    const { id } = await ask("/api/v1/namespaces/default/secrets", {}, "POST", secret);
    expect(await eventOf(id)).toMatchObject({ level: "Metadata", objectRef: { resource: "secrets" } });
    expect(JSON.stringify(events())).not.toContain(value);
  });

  test("a token that was issued is known again by its id, in what its bearer does", async () => {
    const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    const object = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const issued = await ask(path, {}, "POST", object);
    const { annotations } = (await eventOf(issued.id)) as { annotations: Record<string, string> };
    const known = annotations["authentication.kubernetes.io/issued-credential-id"];
    expect(known).toMatch(/^JTI=[\da-f-]{36}$/);
    const { token } = (JSON.parse(issued.body) as { status: { token: string } }).status;
    const used = await ask("/api/v1/namespaces/default/pods/x", { authorization: `Bearer ${token}` });
    expect(await eventOf(used.id)).toMatchObject({
      user: { extra: { "authentication.kubernetes.io/credential-id": [known] } },
    });
  });

  test("stages that are left out, users of no interest and other groups are not written", async () => {
    const quiet = [await ask("/version", {}), await ask("/apis/apps/v1/deployments", {})];
    const last = await ask("/api/v1/namespaces", {});
    await eventOf(last.id);
    for (const { id } of quiet) expect(events().some(({ auditID }) => auditID === id)).toBe(false);
    const scheduler = server.client({ name: "system:kube-scheduler", groups: ["system:authenticated"] });
    await scheduler.list(CONFIG_MAPS, { namespace: "default" }).catch(() => undefined);
    expect(JSON.stringify(events())).not.toContain("system:kube-scheduler");
  });

  test("calls inside the process are written, too", async () => {
    await server.client({ name: "inside", groups: ["system:masters"] }).list(SECRETS, { namespace: "default" });
    await expect.poll(() => events().some(({ user }) => user?.username === "inside")).toBe(true);
  });
});

test("without a policy there is nothing", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "travelops-audit-"));
  expect(await openAudit({ dir: directory, clock: systemClock, log: silentLogger })).toBeUndefined();
  writeFileSync(
    path.join(directory, "audit-policy.yaml"),
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: All\n",
  );
  const refused = /audit-policy\.yaml cannot be used: rules\[0\]\.level must be one of None/;
  const options = { clock: systemClock, log: silentLogger };
  await expect(openAudit({ dir: directory, ...options })).rejects.toThrow(refused);
  // Another cluster's, which has none of its own; and one that there is not.
  const sharedPolicy = path.join(directory, "audit-policy.yaml");
  const other = path.join(directory, "other");
  await expect(openAudit({ dir: other, sharedPolicy, ...options })).rejects.toThrow(refused);
  expect(await openAudit({ dir: other, sharedPolicy: path.join(other, "none.yaml"), ...options })).toBeUndefined();
  rmSync(directory, { recursive: true });
});

describe("rules", () => {
  const user = { name: "ann", groups: ["team"] };
  const levelOf = (rules: string, method: string, url: string): Level =>
    scopeOf(
      parsePolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n${rules}`),
      user,
      parseRequestInfo(method, url, new URLSearchParams()),
    ).level;
  const pod = "/api/v1/namespaces/a/pods/x";

  test.each([
    ["- null", "rules[0] must be an object"],
    ["- level: Metadata\n  users: ann", "rules[0].users must be a list"],
    ["- level: Metadata\n  verbs: [{}]", "rules[0].verbs[0] must be a string"],
    ["- level: Metadata\n  omitStages: Panic", "rules[0].omitStages must be a list"],
    ["- level: Metadata\n  resources: [pods]", "rules[0].resources[0] must be an object"],
    ["- level: Metadata\n  resources: [{groups: [apps]}]", 'rules[0].resources[0]: there is no field "groups"'],
  ])("%s is refused", (rules, why) => {
    expect(() => levelOf(rules, "GET", pod)).toThrow(why);
  });

  test.each([
    ["- level: Request\n  users: [ann]", pod, "Request"],
    ["- level: Request\n  users: [bob]", pod, "None"],
    ["- level: Request\n  userGroups: [team]", pod, "Request"],
    ["- level: Request\n  verbs: [list]", pod, "None"],
    ["- level: Request\n  namespaces: [b]", pod, "None"],
    ["- level: Request\n  namespaces: ['']", "/api/v1/nodes/x", "Request"],
    ["- level: Request\n  resources: [{group: '', resources: [pods]}]", `${pod}/log`, "None"],
    ["- level: Request\n  resources: [{group: '', resources: [pods/*]}]", `${pod}/log`, "Request"],
    ["- level: Request\n  resources: [{group: '', resources: ['*/log']}]", `${pod}/log`, "Request"],
    ["- level: Request\n  resources: [{group: apps}]", pod, "None"],
    ["- level: Request\n  resources: [{group: '', resources: [pods], resourceNames: [y]}]", pod, "None"],
    ["- level: Request\n  nonResourceURLs: ['/healthz*']", "/healthz/ping", "Request"],
    ["- level: Request\n  nonResourceURLs: ['/healthz']", pod, "None"],
    ["- level: None\n  verbs: [get]\n- level: Metadata", pod, "None"],
    ["- level: RequestResponse", "/api/v1/namespaces/a/secrets/x", "Metadata"],
    [
      "- level: RequestResponse\n  resources: [{group: '', resources: [secrets]}]",
      "/api/v1/namespaces/a/secrets/x",
      "RequestResponse",
    ],
  ])("%s of %s", (rules, url, level) => {
    expect(levelOf(rules, "GET", url)).toBe(level);
  });

  test.each([
    ["- level: Metadata\n  resources: [{group: ''}]\n  nonResourceURLs: ['/x']", "both regular resources"],
    ["- level: Metadata\n  nonResourceURLs: ['x']", "must begin with a slash"],
    ["- level: Metadata\n  omitStages: [Never]", "is no stage"],
    ["- level: Metadata\n  verb: [get]", 'no field "verb"'],
  ])("%s is refused", (rules, why) => {
    expect(() => levelOf(rules, "GET", pod)).toThrow(why);
  });
});
