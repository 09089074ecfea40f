/** What admission says in audit events. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeObject, NAMESPACES, PODS } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import {
  CONFIG_MAPS,
  configMap,
  type HookedServer,
  label,
  RULE,
  refusal,
  type Review,
  startHookedServer,
} from "../testing/hooked-server.ts";
import { annotationsFor } from "./annotations.ts";
import type { Auditor } from "./auditor.ts";
import { openAudit } from "./open-audit.ts";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  namespaces: [quiet]
- level: RequestResponse
  verbs: [create]
`;

const GROUP = "admissionregistration.k8s.io";
const resourceOf = (kind: string, resource: string) => ({
  group: GROUP,
  version: "v1",
  resource,
  kind,
  namespaced: false,
});
const POLICIES = resourceOf("ValidatingAdmissionPolicy", "validatingadmissionpolicies");
const BINDINGS = resourceOf("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings");
const ENDPOINTS = { group: "", version: "v1", resource: "endpoints", kind: "Endpoints", namespaced: true };
const DEPLOYMENTS = { group: "apps", version: "v1", resource: "deployments", kind: "Deployment", namespaced: true };

interface Event {
  readonly objectRef?: { readonly resource?: string };
  readonly requestObject?: { readonly metadata: { readonly name?: string } };
  readonly requestURI: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

describe("annotations of events", () => {
  let directory: string;
  let auditor: Auditor;
  let server: HookedServer;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "travelops-audit-"));
    writeFileSync(path.join(directory, "audit-policy.yaml"), POLICY);
    const opened = await openAudit({ dir: directory, clock: systemClock, log: silentLogger });
    if (opened === undefined) throw new Error("the policy was not found");
    auditor = opened;
    server = await startHookedServer({ audit: auditor });
    await namespace("quiet");
    await namespace("strict", { enforce: "baseline", audit: "restricted" });
    await namespace("watched", { audit: "baseline" });
  });
  afterAll(async () => {
    await server.close();
    await auditor.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const namespace = (name: string, levels: Readonly<Record<string, string>> = {}): Promise<KubeObject> => {
    const entries = Object.entries(levels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]);
    const labels = Object.fromEntries(entries) as Record<string, string>;
    return server.client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  };

  const eventsNow = (): Event[] =>
    readFileSync(path.join(directory, "audit", "audit.log"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Event);
  /** Of the creation of an object, without what authorization says. */
  const said = async (name: string): Promise<Record<string, string>> => {
    const find = (): Event | undefined =>
      eventsNow().find(({ requestObject }) => requestObject?.metadata.name === name);
    await expect.poll(find).toBeDefined();
    return Object.fromEntries(
      Object.entries(find()?.annotations ?? {}).filter(([key]) => !key.startsWith("authorization.k8s.io/")),
    );
  };

  const create = (resource: Resource, name: string, namespace: string, fields: object): Promise<KubeObject> => {
    const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
    const metadata = { name, ...(resource.namespaced ? { namespace } : {}) };
    return server.client.create(resource, { apiVersion, kind: resource.kind, metadata, ...fields });
  };
  const podSpec = (fields: object = {}): object => ({ containers: [{ name: "c", image: "i" }], ...fields });

  test("pod security: what is enforced, and what would have been a violation", async () => {
    const account = { apiVersion: "v1", kind: "ServiceAccount" };
    const accounts: Resource = {
      group: "",
      version: "v1",
      resource: "serviceaccounts",
      kind: "ServiceAccount",
      namespaced: true,
    };
    for (const name of ["default", "strict", "watched"])
      await server.client
        .create(accounts, { ...account, metadata: { name: "default", namespace: name } })
        .catch(() => undefined);
    await create(PODS, "plain", "default", { spec: podSpec() });
    expect(await said("plain")).toEqual({ "pod-security.kubernetes.io/enforce-policy": "privileged:latest" });
    await create(PODS, "unrestricted", "strict", { spec: podSpec() });
    expect(await said("unrestricted")).toEqual({
      "pod-security.kubernetes.io/enforce-policy": "baseline:latest",
      "pod-security.kubernetes.io/audit-violations": expect.stringMatching(
        /^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false \(container "c" must set/,
      ),
    });
    await refusal(create(PODS, "refused", "strict", { spec: podSpec({ hostNetwork: true }) }));
    expect(await said("refused")).toHaveProperty(["pod-security.kubernetes.io/enforce-policy"], "baseline:latest");
    const template = { metadata: { labels: { a: "b" } }, spec: podSpec({ hostNetwork: true }) };
    await create(DEPLOYMENTS, "templated", "watched", { spec: { selector: { matchLabels: { a: "b" } }, template } });
    expect(await said("templated")).toEqual({
      "pod-security.kubernetes.io/audit-violations":
        'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    });
  });

  test("policies: their own annotations, and the first failure of a binding that audits", async () => {
    await create(POLICIES, "audits", "", {
      spec: {
        matchConstraints: { resourceRules: [{ ...RULE, operations: ["CREATE"] }] },
        validations: [
          { expression: "true" },
          { expression: "!object.metadata.name.startsWith('odd')", message: "odd & <ends>" },
        ],
        auditAnnotations: [
          { key: "name", valueExpression: "' ' + object.metadata.name" },
          { key: "nothing", valueExpression: "null" },
        ],
      },
    });
    await create(BINDINGS, "audits-all", "", { spec: { policyName: "audits", validationActions: ["Audit", "Warn"] } });
    const made = async (name: string): Promise<Record<string, string>> => {
      await server.client.create(CONFIG_MAPS, configMap(name));
      return said(name);
    };
    await expect.poll(() => made(`even-${Math.random().toString(36).slice(2)}`)).toHaveProperty(["audits/name"]);
    expect(await made("even")).toEqual({ "audits/name": "even" });
    expect(await made("odd")).toEqual({
      "audits/name": "odd",
      "validation.policy.admission.k8s.io/validation_failure": String.raw`[{"message":"odd \u0026 \u003cends\u003e","policy":"audits","binding":"audits-all","expressionIndex":1,"validationActions":["Audit","Warn"]}]`,
    });
  });

  test("webhooks: their annotations, what they changed, and those that could not be asked", async () => {
    const rules = [{ ...RULE, operations: ["CREATE"] }];
    const objectSelector = { matchLabels: { hooked: "yes" } };
    const fields = { rules, objectSelector };
    const closed = { clientConfig: { url: "https://127.0.0.1:1/" }, failurePolicy: "Ignore" };
    server.answers.set("labels", (review, name) => {
      const answer = label("x")(review, name) as { response: object };
      return { ...answer, response: { ...answer.response, auditAnnotations: { why: "so", "no key": "never" } } };
    });
    server.answers.set("checks", (review: Review) => ({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: review.request.uid, allowed: false, auditAnnotations: { seen: "yes" } },
    }));
    await server.configure("Mutating", "gone", { ...fields, ...closed });
    await server.configure("Mutating", "labels", fields);
    await server.configure("Validating", "absent", { ...fields, ...closed });
    await server.configure("Validating", "checks", fields);
    await refusal(server.client.create(CONFIG_MAPS, configMap("hooked", {}, { hooked: "yes" })));
    const annotations = await said("hooked");
    expect(annotations).toMatchObject({
      "failed-open.mutation.webhook.admission.k8s.io/round_0_index_0": "gone.example.com",
      "mutation.webhook.admission.k8s.io/round_0_index_0":
        '{"configuration":"gone","webhook":"gone.example.com","mutated":false}',
      "mutation.webhook.admission.k8s.io/round_0_index_1":
        '{"configuration":"labels","webhook":"labels.example.com","mutated":true}',
      "patch.webhook.admission.k8s.io/round_0_index_1":
        '{"configuration":"labels","webhook":"labels.example.com","patch":[{"op":"add","path":"/metadata/labels/x","value":"x"}],"patchType":"JSONPatch"}',
      "labels.example.com/why": "so",
      "failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "absent.example.com",
      "checks.example.com/seen": "yes",
    });
    expect(JSON.stringify(annotations)).not.toContain("never");
  });

  test("a patch shows of content: it stands only where bodies do; deprecated versions are marked", async () => {
    const quiet = {
      ...configMap("q", {}, { hooked: "yes" }),
      metadata: { name: "q", namespace: "quiet", labels: { hooked: "yes" } },
    };
    server.answers.delete("checks");
    await server.client.create(CONFIG_MAPS, quiet);
    await create(ENDPOINTS, "old", "quiet", { subsets: [] });
    const inQuiet = (resource: string): Event | undefined =>
      eventsNow().find(({ requestURI }) => requestURI.split("?")[0] === `/api/v1/namespaces/quiet/${resource}`);
    await expect.poll(() => inQuiet("endpoints")?.annotations).toHaveProperty(["k8s.io/deprecated"], "true");
    const keys = Object.keys(inQuiet("configmaps")?.annotations ?? {});
    expect(keys).toContain("mutation.webhook.admission.k8s.io/round_0_index_1");
    expect(keys.filter((key) => key.startsWith("patch."))).toEqual([]);
  });
});

test("what was said first of a key stands; what is no key is left out", () => {
  const { annotate, all } = annotationsFor("Metadata");
  annotate("a.example.com/b", "first");
  annotate("a.example.com/b", "second");
  for (const key of ["b", "a/b/c", "A.example.com/b", "a.example.com/", "a.example.com/-b"]) annotate(key, "x");
  annotate("a.example.com/secret", "x", "Request");
  expect(all()).toEqual({ "a.example.com/b": "first" });
});
