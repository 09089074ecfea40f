/** Admission webhooks over a real HTTPS server, on the real API server: what they are asked and may answer. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { read } from "../../registry/printers/printer.ts";
import {
  type Answer,
  CONFIG_MAPS,
  configMap,
  deny,
  type HookedServer,
  label,
  MERGE_PATCH,
  patch,
  refusal,
  RULE,
  startHookedServer,
} from "../../testing/hooked-server.ts";
import { answerWith } from "../../testing/webhook-server.ts";

let hooked: HookedServer;
beforeEach(async () => void (hooked = await startHookedServer()));
afterEach(() => hooked.close());

const PODS = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };
const pod = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
});

describe("what a webhook is asked", () => {
  it("the review of a creation, an update and a deletion", async () => {
    await hooked.configure("Validating", "look");
    await hooked.client.create(CONFIG_MAPS, configMap("a", { k: "1" }));
    await hooked.client.update(CONFIG_MAPS, configMap("a", { k: "2" }));
    await hooked.client.delete(CONFIG_MAPS, "default", "a");
    const [created, updated, deleted] = hooked.reviews;
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
    await hooked.configure("Validating", "deny");
    hooked.answers.set("deny", deny(status));
    const refused = await refusal(hooked.client.create(CONFIG_MAPS, configMap("a")));
    expect(refused.code).toBe(code);
    expect(refused.reason).toBe(reason ?? "Unknown");
    expect(refused.message).toMatch(
      new RegExp(`^admission webhook "deny.example.com" denied the request${text.startsWith(":") ? "" : " "}${text}$`),
    );
    expect(hooked.api.store.get({ table: "configmaps.", namespace: "default", name: "a" })).toBeUndefined();
  });

  it("leave deletion, patches and collections as they are", async () => {
    await hooked.client.create(CONFIG_MAPS, configMap("a", { k: "1" }));
    await hooked.configure("Validating", "deny");
    hooked.answers.set("deny", deny());
    const key = { namespace: "default", name: "a" };
    await expect(hooked.client.delete(CONFIG_MAPS, "default", "a")).rejects.toThrow("without explanation");
    await expect(hooked.client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { data: { k: "2" } })).rejects.toThrow(
      "without explanation",
    );
    expect(hooked.api.store.get({ table: "configmaps.", ...key })?.object["data"]).toEqual({ k: "1" });
  });
});

describe("changes", () => {
  it("are pruned, defaulted, checked, and nobody's", async () => {
    await hooked.configure("Mutating", "change", { rules: [{ ...RULE, resources: ["pods"], operations: ["CREATE"] }] });
    hooked.answers.set(
      "change",
      patch(
        { op: "add", path: "/spec/containers/-", value: { name: "side", image: "s", unknown: 1 } },
        { op: "add", path: "/metadata/uid", value: "mine" },
      ),
    );
    const made = await hooked.client.create(PODS, pod("p"), { fieldManager: "me" });
    const side = read(made, "spec", "containers", 1);
    expect(side).toMatchObject({ name: "side", terminationMessagePath: "/dev/termination-log" });
    expect(side).not.toHaveProperty("unknown");
    expect(made.metadata.uid).not.toBe("mine");
    expect(JSON.stringify(made.metadata.managedFields)).toContain('k:{\\"name\\":\\"c\\"}');
    expect(JSON.stringify(made.metadata.managedFields)).not.toContain("side");
    expect(hooked.reviews[0]?.["object"]).not.toHaveProperty("metadata.uid");
  });

  it("come in the order of the configurations' names, and those that ask for it see them again", async () => {
    const seen: [string, string[]][] = [];
    const watching =
      (answer: Answer): Answer =>
      (review, name) => {
        seen.push([name, Object.keys((read(review.request["object"], "metadata", "labels") ?? {}) as object)]);
        return answer(review, name);
      };
    await hooked.configure("Mutating", "c3");
    await hooked.configure("Mutating", "a1", { reinvocationPolicy: "IfNeeded" });
    await hooked.configure("Mutating", "b2");
    for (const name of ["a1", "b2", "c3"]) hooked.answers.set(name, watching(label(name)));
    const made = await hooked.client.create(CONFIG_MAPS, configMap("a"));
    expect(seen).toEqual([
      ["a1", []],
      ["b2", ["a1"]],
      ["c3", ["a1", "b2"]],
      ["a1", ["a1", "b2", "c3"]],
    ]);
    expect(made.metadata.labels).toEqual({ a1: "x", b2: "x", c3: "x" });
  });

  it("are made anew when another was faster, and nothing is lost", async () => {
    await hooked.client.create(CONFIG_MAPS, configMap("a"));
    await hooked.configure("Mutating", "slow", { objectSelector: { matchLabels: { slow: "yes" } } });
    const key = { namespace: "default", name: "a" };
    let calls = 0;
    hooked.answers.set("slow", async (review) => {
      if (calls++ === 0) await hooked.client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { data: { other: "1" } });
      return label("seen")(review, "");
    });
    await hooked.client.patch(CONFIG_MAPS, "default", "a", MERGE_PATCH, { metadata: { labels: { slow: "yes" } } });
    expect(calls).toBe(2);
    const now = hooked.api.store.get({ table: "configmaps.", ...key })?.object;
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
    await hooked.configure("Validating", "bad", { failurePolicy });
    hooked.answers.set("bad", () => answerWith(500, "boom"));
    const created = hooked.client.create(CONFIG_MAPS, configMap("a"));
    if (text === undefined) await expect(created).resolves.toBeDefined();
    else await expect(created).rejects.toThrow(text);
  });

  it("a dry run needs a webhook without side effects", async () => {
    await hooked.configure("Validating", "look");
    await hooked.client.create(CONFIG_MAPS, configMap("a"), { dryRun: true });
    expect(hooked.reviews[0]?.["dryRun"]).toBe(true);
    expect(hooked.api.store.get({ table: "configmaps.", namespace: "default", name: "a" })).toBeUndefined();
  });
});
