/** Admission webhooks over a real HTTPS server, on the real API server. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StatusError, type KubeClient, type KubeObject } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { startTestServer, type TestServer } from "../../testing/start-test-server.ts";
import { answerWith, startWebhookServer, type WebhookServer } from "../../testing/webhook-server.ts";
import { read } from "../../registry/printers/printer.ts";

type Review = { readonly request: Readonly<Record<string, unknown>> & { readonly uid: string } };
type Answer = (review: Review, path: string) => unknown;

const CONFIG_MAPS = { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap", namespaced: true };
const MERGE_PATCH = "application/merge-patch+json";
const PODS = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };
const of = (phase: "Mutating" | "Validating"): Resource => ({
  group: "admissionregistration.k8s.io",
  version: "v1",
  resource: `${phase.toLowerCase()}webhookconfigurations`,
  kind: `${phase}WebhookConfiguration`,
  namespaced: false,
});

let api: TestServer;
let hook: WebhookServer;
let client: KubeClient;
let answers: Record<string, Answer>;
const reviews: Review["request"][] = [];

const respond = (review: Review, response: object): object => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  response: { uid: review.request.uid, allowed: true, ...response },
});
const allow: Answer = (review) => respond(review, {});
const deny =
  (status?: object): Answer =>
  (review) =>
    respond(review, { allowed: false, ...(status === undefined ? {} : { status }) });
const patch =
  (...operations: object[]): Answer =>
  (review) =>
    respond(review, {
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
    });
const label =
  (key: string, value = "x"): Answer =>
  (review) => {
    const labels = read(review.request["object"], "metadata", "labels");
    return labels === undefined
      ? patch({ op: "add", path: "/metadata/labels", value: { [key]: value } })(review, "")
      : patch({ op: "add", path: `/metadata/labels/${key}`, value })(review, "");
  };

beforeEach(async () => {
  api = await startTestServer();
  client = api.client();
  answers = {};
  reviews.length = 0;
  hook = await startWebhookServer({
    answer(body, path) {
      const review = body as Review;
      reviews.push(review.request);
      const name = path.slice(1).split("?")[0] ?? "";
      return (answers[name] ?? allow)(review, name);
    },
  });
});
afterEach(async () => {
  await api.close();
  await hook.close();
});

const RULE = { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] };

/** A configuration with one webhook `NAME.example.com` that asks `/NAME`. */
async function configure(phase: "Mutating" | "Validating", name: string, fields: object = {}): Promise<void> {
  await client.create(of(phase), {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${phase}WebhookConfiguration`,
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { url: `${hook.url}/${name}`, caBundle: hook.caBundle },
        rules: [RULE],
        ...fields,
      },
    ],
  } as KubeObject);
}

const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...(labels === undefined ? {} : { labels }) },
  data,
});
const pod = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
});
const refusal = async (promise: Promise<unknown>): Promise<StatusError["status"]> => {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof StatusError)) throw new Error("it was not refused", { cause: error });
  return error.status;
};

describe("what a webhook is asked", () => {
  it("the review of a creation, an update and a deletion", async () => {
    await configure("Validating", "look");
    await client.create(CONFIG_MAPS, configMap("a", { k: "1" }));
    await client.update(CONFIG_MAPS, configMap("a", { k: "2" }));
    await client.delete(CONFIG_MAPS, "default", "a");
    const [created, updated, deleted] = reviews;
    expect(created).toMatchObject({
      kind: { group: "", version: "v1", kind: "ConfigMap" },
      resource: { group: "", version: "v1", resource: "configmaps" },
      requestKind: { group: "", version: "v1", kind: "ConfigMap" },
      name: "a",
      namespace: "default",
      operation: "CREATE",
      userInfo: { username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] },
      object: { apiVersion: "v1", kind: "ConfigMap", data: { k: "1" } },
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    });
    expect(updated).toMatchObject({
      operation: "UPDATE",
      object: { data: { k: "2" } },
      oldObject: { data: { k: "1" } },
      options: { kind: "UpdateOptions" },
    });
    expect(deleted).toMatchObject({
      operation: "DELETE",
      object: null,
      oldObject: { data: { k: "2" } },
      options: { kind: "DeleteOptions" },
    });
  });
});

describe("refusals", () => {
  it.each([
    [undefined, 400, undefined, "without explanation"],
    [{ message: "no" }, 400, undefined, ": no"],
    [{ message: "no", code: 403, reason: "Forbidden" }, 403, "Forbidden", ": no"],
    [{ reason: "Because" }, 400, "Because", ": Because"],
    [{ message: "no", code: 200 }, 400, undefined, ": no"],
  ])("with the status %j", async (status, code, reason, text) => {
    await configure("Validating", "deny");
    answers["deny"] = deny(status);
    const refused = await refusal(client.create(CONFIG_MAPS, configMap("a")));
    expect(refused.code).toBe(code);
    expect(refused.reason).toBe(reason ?? "Unknown");
    expect(refused.message).toMatch(
      new RegExp(`^admission webhook "deny.example.com" denied the request${text.startsWith(":") ? "" : " "}${text}$`),
    );
    expect(api.store.get({ table: "configmaps.", namespace: "default", name: "a" })).toBeUndefined();
  });

  it("leave deletion, patches and collections as they are", async () => {
    await client.create(CONFIG_MAPS, configMap("a", { k: "1" }));
    await configure("Validating", "deny");
    answers["deny"] = deny();
    const key = { namespace: "default", name: "a" };
    await expect(client.delete(CONFIG_MAPS, "default", "a")).rejects.toThrow("without explanation");
    await expect(client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { data: { k: "2" } })).rejects.toThrow(
      "without explanation",
    );
    expect(api.store.get({ table: "configmaps.", ...key })?.object["data"]).toEqual({ k: "1" });
  });
});

describe("changes", () => {
  it("are pruned, defaulted, checked, and nobody's", async () => {
    await configure("Mutating", "change", { rules: [{ ...RULE, resources: ["pods"], operations: ["CREATE"] }] });
    answers["change"] = patch(
      { op: "add", path: "/spec/containers/-", value: { name: "side", image: "s", unknown: 1 } },
      { op: "add", path: "/metadata/uid", value: "mine" },
    );
    const made = await client.create(PODS, pod("p"), { fieldManager: "me" });
    const side = read(made, "spec", "containers", 1);
    expect(side).toMatchObject({ name: "side", terminationMessagePath: "/dev/termination-log" });
    expect(side).not.toHaveProperty("unknown");
    expect(made.metadata.uid).not.toBe("mine");
    expect(JSON.stringify(made.metadata.managedFields)).toContain('k:{\\"name\\":\\"c\\"}');
    expect(JSON.stringify(made.metadata.managedFields)).not.toContain("side");
    expect(reviews[0]?.["object"]).not.toHaveProperty("metadata.uid");
  });

  it("come in the order of the configurations' names, and those that ask for it see them again", async () => {
    const seen: [string, string[]][] = [];
    const watching =
      (answer: Answer): Answer =>
      (review, name) => {
        seen.push([name, Object.keys((read(review.request["object"], "metadata", "labels") ?? {}) as object)]);
        return answer(review, name);
      };
    await configure("Mutating", "c3");
    await configure("Mutating", "a1", { reinvocationPolicy: "IfNeeded" });
    await configure("Mutating", "b2");
    for (const name of ["a1", "b2", "c3"]) answers[name] = watching(label(name));
    const made = await client.create(CONFIG_MAPS, configMap("a"));
    expect(seen).toEqual([
      ["a1", []],
      ["b2", ["a1"]],
      ["c3", ["a1", "b2"]],
      ["a1", ["a1", "b2", "c3"]],
    ]);
    expect(made.metadata.labels).toEqual({ a1: "x", b2: "x", c3: "x" });
  });

  it("are made anew when another was faster, and nothing is lost", async () => {
    await client.create(CONFIG_MAPS, configMap("a"));
    await configure("Mutating", "slow", { objectSelector: { matchLabels: { slow: "yes" } } });
    const key = { namespace: "default", name: "a" };
    let calls = 0;
    answers["slow"] = async (review) => {
      if (calls++ === 0) await client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { data: { other: "1" } });
      return label("seen")(review, "");
    };
    await client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { metadata: { labels: { slow: "yes" } } });
    expect(calls).toBe(2);
    const now = api.store.get({ table: "configmaps.", ...key })?.object;
    expect(now?.["data"]).toEqual({ other: "1" });
    expect(now?.metadata.labels).toEqual({ slow: "yes", seen: "x" });
  });
});

describe("failures", () => {
  it.each([
    [
      "Fail",
      'Internal error occurred: failed calling webhook "bad.example.com": failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
    ],
    ["Ignore", undefined],
  ])("are held against the request by policy %s", async (failurePolicy, text) => {
    await configure("Validating", "bad", { failurePolicy });
    answers["bad"] = () => answerWith(500, "boom");
    const created = client.create(CONFIG_MAPS, configMap("a"));
    if (text === undefined) await expect(created).resolves.toBeDefined();
    else await expect(created).rejects.toThrow(text);
  });

  it("a dry run needs a webhook without side effects", async () => {
    await configure("Validating", "look");
    await client.create(CONFIG_MAPS, configMap("a"), { dryRun: true });
    expect(reviews[0]?.["dryRun"]).toBe(true);
    expect(api.store.get({ table: "configmaps.", namespace: "default", name: "a" })).toBeUndefined();
  });
});
