/** Which requests admission webhooks reach, and in which version and shape. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { KubeObject } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { DEPLOYMENTS } from "@travelops/kube/client/resources";
import { array, read, record } from "../../registry/printers/printer.ts";
import {
  allow,
  CONFIG_MAPS,
  configMap,
  configurations,
  deny,
  type HookedServer,
  label,
  MERGE_PATCH,
  patch,
  refusal,
  RULE,
  startHookedServer,
} from "../../testing/hooked-server.ts";
import { CONFIGURATIONS } from "./webhook-index.ts";

let hooked: HookedServer;
beforeEach(async () => void (hooked = await startHookedServer()));
afterEach(() => hooked.close());

describe("versions and shapes", () => {
  const CRDS: Resource = {
    group: "apiextensions.k8s.io",
    version: "v1",
    resource: "customresourcedefinitions",
    kind: "CustomResourceDefinition",
    namespaced: false,
  };
  const widgets = (version: string): Resource => ({
    group: "example.com",
    version,
    resource: "widgets",
    kind: "Widget",
    namespaced: true,
  });
  const version = (name: string, storage: boolean): object => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: { size: { type: "integer" }, colour: { type: "string", default: "grey" } },
      },
    },
  });
  const widget = (apiVersion: string, size: number): KubeObject =>
    ({ apiVersion, kind: "Widget", metadata: { name: "w", namespace: "default" }, size }) as unknown as KubeObject;

  beforeEach(async () => {
    await hooked.client.create(CRDS, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [version("v1", true), version("v2", false)],
      },
    });
    await vi.waitFor(() => hooked.client.list(widgets("v2"), { namespace: "default" }));
  });

  it("a custom resource is shown in the version asked for, and what is changed in it is pruned and kept", async () => {
    await hooked.configure("Mutating", "change", {
      rules: [{ ...RULE, apiGroups: ["example.com"], resources: ["widgets"] }],
    });
    hooked.answers.set(
      "change",
      patch(
        { op: "add", path: "/size", value: 7 },
        { op: "add", path: "/nonsense", value: 1 },
        { op: "remove", path: "/colour" },
      ),
    );
    const made = await hooked.client.create(widgets("v2"), widget("example.com/v2", 1));
    expect(made).toMatchObject({ apiVersion: "example.com/v2", size: 7, colour: "grey" });
    expect(made).not.toHaveProperty("nonsense");
    expect(hooked.reviews[0]).toMatchObject({
      kind: { group: "example.com", version: "v1", kind: "Widget" },
      requestKind: { group: "example.com", version: "v2", kind: "Widget" },
      object: { apiVersion: "example.com/v1", size: 1, colour: "grey" },
    });
    hooked.answers.set("change", patch({ op: "add", path: "/size", value: "seven" }));
    const refused = await refusal(hooked.client.update(widgets("v2"), { ...made, size: 8 } as KubeObject));
    expect([refused.code, refused.message]).toEqual([422, expect.stringContaining("must be of type integer")]);
  });

  it("not at all where it asks for the exact version", async () => {
    await hooked.configure("Validating", "deny", {
      matchPolicy: "Exact",
      rules: [{ ...RULE, apiGroups: ["example.com"], resources: ["widgets"] }],
    });
    hooked.answers.set("deny", deny());
    await hooked.client.create(widgets("v2"), widget("example.com/v2", 1));
    await hooked.client.patch(widgets("v2"), "default", "w", MERGE_PATCH, { size: 2 });
    await expect(hooked.client.patch(widgets("v1"), "default", "w", MERGE_PATCH, { size: 3 })).rejects.toThrow(
      "explanation",
    );
  });

  it("a Scale that a webhook changes scales the object", async () => {
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d", namespace: "default" },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
      },
    };
    await hooked.client.create(DEPLOYMENTS, deployment);
    await hooked.configure("Mutating", "atmost", {
      rules: [{ ...RULE, apiGroups: ["apps"], resources: ["deployments/scale"] }],
    });
    hooked.answers.set("atmost", patch({ op: "replace", path: "/spec/replicas", value: 3 }));
    await hooked.client.patch(
      DEPLOYMENTS,
      "default",
      "d",
      MERGE_PATCH,
      { spec: { replicas: 9 } },
      { subresource: "scale" },
    );
    const now = hooked.api.store.get({ table: "deployments.apps", namespace: "default", name: "d" })?.object;
    expect(read(now, "spec", "replicas")).toBe(3);
    expect(now?.metadata.generation).toBe(2);
  });
});

describe("a webhook's say", () => {
  it("is asked of each object of a collection", async () => {
    for (const name of ["a", "b"]) await hooked.client.create(CONFIG_MAPS, configMap(name));
    await hooked.configure("Validating", "look", { rules: [{ ...RULE, operations: ["DELETE"] }] });
    await hooked.client.transport.call({ method: "DELETE", path: "/api/v1/namespaces/default/configmaps" });
    expect(new Set(hooked.reviews.map(({ name }) => name))).toEqual(new Set(["a", "b"]));
    expect(hooked.api.store.list("configmaps.", { namespace: "default" }).items).toEqual([]);
  });

  it("of a dry run needs one that has no side effects", async () => {
    await hooked.configure("Validating", "effects");
    // Validation refuses it since v1; it may have been stored before.
    await hooked.api.store.write(
      { table: CONFIGURATIONS.validating, namespace: "", name: "effects" },
      { user: "old", verb: "update" },
      (current) => {
        const webhooks = array(current?.object["webhooks"]).map((one) => ({ ...record(one), sideEffects: "Some" }));
        return { op: "put", object: { ...current?.object, webhooks } as unknown as KubeObject };
      },
    );
    const refused = await refusal(hooked.client.create(CONFIG_MAPS, configMap("a"), { dryRun: true }));
    expect([refused.code, refused.message]).toEqual([
      400,
      'admission webhook "effects.example.com" does not support dry run',
    ]);
    await hooked.client.create(CONFIG_MAPS, configMap("a"));
  });

  it("of many validating ones is asked at once, and the first refusal is told", async () => {
    let waiting = 0;
    let release: () => void = () => {};
    const all = new Promise<void>((resolve) => (release = resolve));
    for (const name of ["a", "b", "c"]) {
      await hooked.configure("Validating", name);
      hooked.answers.set(name, async (review) => {
        if (++waiting === 3) release();
        await all;
        return name === "b" ? deny({ message: "b says no" })(review, "") : allow(review, "");
      });
    }
    await expect(hooked.client.create(CONFIG_MAPS, configMap("a"))).rejects.toThrow("b says no");
  });

  it("does not reach configurations of webhooks, so that they can be mended", async () => {
    await hooked.configure("Validating", "deny", {
      rules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"] }],
    });
    hooked.answers.set("deny", deny());
    await expect(hooked.client.create(CONFIG_MAPS, configMap("a"))).rejects.toThrow("without explanation");
    await hooked.client.delete(configurations("Validating"), "", "deny");
    await hooked.client.create(CONFIG_MAPS, configMap("a"));
  });

  it("holds back what a quota would have to count only when all agree", async () => {
    await hooked.client.create(
      { group: "", version: "v1", resource: "resourcequotas", kind: "ResourceQuota", namespaced: true },
      {
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "q", namespace: "default" },
        spec: { hard: { "count/configmaps": "1" } },
      },
    );
    await hooked.configure("Validating", "deny", { objectSelector: { matchLabels: { bad: "yes" } } });
    hooked.answers.set("deny", deny());
    await expect(hooked.client.create(CONFIG_MAPS, configMap("a", {}, { bad: "yes" }))).rejects.toThrow("explanation");
    await hooked.client.create(CONFIG_MAPS, configMap("b"));
    await expect(hooked.client.create(CONFIG_MAPS, configMap("c"))).rejects.toThrow("exceeded quota: q");
  });

  it("comes before that of policies, when it changes something", async () => {
    const admission = (resource: string, kind: string): Resource => ({
      group: "admissionregistration.k8s.io",
      version: "v1",
      resource,
      kind,
      namespaced: false,
    });
    const apiVersion = "admissionregistration.k8s.io/v1";
    await hooked.client.create(admission("validatingadmissionpolicies", "ValidatingAdmissionPolicy"), {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "labelled" },
      spec: {
        matchConstraints: { resourceRules: [{ ...RULE, operations: ["CREATE"] }] },
        validations: [{ expression: "has(object.metadata.labels) && 'owner' in object.metadata.labels" }],
      },
    });
    await hooked.client.create(admission("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"), {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "labelled" },
      spec: { policyName: "labelled", validationActions: ["Deny"] },
    });
    await expect(hooked.client.create(CONFIG_MAPS, configMap("a"))).rejects.toThrow("failed expression");
    await hooked.configure("Mutating", "own");
    hooked.answers.set("own", label("owner"));
    const made = await hooked.client.create(CONFIG_MAPS, configMap("a"));
    expect(made.metadata.labels).toEqual({ owner: "x" });
  });
});
