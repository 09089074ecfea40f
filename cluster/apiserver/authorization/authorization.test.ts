import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { Store } from "../../store/store.ts";
import { ACTOR, keyOf, storeFixture } from "../../store/store-fixture.ts";
import type { StoreFixture } from "../../store/store-fixture.ts";
import type { AuthorizationAttributes, Authorize } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { answerAccessReview } from "./access-reviews.ts";
import { forbiddenError, rbacAuthorizer, rulesFor } from "./authorizer.ts";
import { bootstrapPolicy } from "./bootstrap-policy.ts";
import { checkEscalation } from "./escalation.ts";
import { ruleAllows } from "./policy-rule.ts";
import { RbacIndex } from "./rbac-index.ts";

const API = "rbac.authorization.k8s.io";
const user = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, "system:authenticated"],
});
const ask = (who: UserInfo, verb: string, what: string, namespace = "", name = ""): AuthorizationAttributes => {
  const [resource = "", subresource = ""] = what.split("/");
  const dot = resource.indexOf(".");
  return {
    user: who,
    verb,
    group: dot < 0 ? "" : resource.slice(dot + 1),
    resource: dot < 0 ? resource : resource.slice(0, dot),
    subresource,
    namespace,
    name,
  };
};
const role = (name: string, rules: PolicyRule[], more: object = {}): KubeObject => ({
  apiVersion: `${API}/v1`,
  kind: "ClusterRole",
  metadata: { name },
  rules,
  ...more,
});
const bind = (kind: string, name: string, roleRef: string, subject: object, namespace?: string): KubeObject => ({
  apiVersion: `${API}/v1`,
  kind,
  metadata: namespace === undefined ? { name } : { name, namespace },
  roleRef: { apiGroup: API, kind: roleRef.split("/")[0], name: roleRef.split("/")[1] },
  subjects: [subject],
});
let fixture: StoreFixture;
let store: Store;
let index: RbacIndex;
let authorize: Authorize;
const write = (resource: string, object: KubeObject) =>
  store.write(keyOf(`${resource}.${API}`, object.metadata.namespace ?? "", object.metadata.name ?? ""), ACTOR, () => ({
    op: "put",
    object,
  }));
const may = (...request: Parameters<typeof ask>): boolean => authorize(ask(...request)).allowed;
const refusal = (...request: Parameters<typeof ask>): string => {
  const attributes = ask(...request);
  return forbiddenError(attributes, authorize(attributes)).message;
};

beforeEach(async () => {
  fixture = storeFixture();
  store = await fixture.open();
  index = new RbacIndex(store);
  authorize = rbacAuthorizer(index);
  await bootstrapPolicy(store, systemClock, randomUUID);
});
afterEach(async () => {
  index.close();
  await fixture.dispose();
});

describe("the roles a cluster starts with", () => {
  it("let each part do its work and no more", () => {
    expect(may(user("admin", "system:masters"), "delete", "nodes")).toBe(true);
    expect(may(user("system:node:one", "system:nodes"), "patch", "nodes/status", "", "one")).toBe(true);
    expect(may(user("system:node:one", "system:nodes"), "create", "deployments.apps", "a")).toBe(false);
    expect(may(user("system:kube-scheduler"), "create", "pods/binding", "a", "p")).toBe(true);
    expect(may(user("system:kube-scheduler"), "create", "deployments.apps", "a")).toBe(false);
    expect(may(user("system:kube-controller-manager"), "update", "deployments.apps/status", "a")).toBe(true);
    expect(may(user("bob"), "create", "selfsubjectaccessreviews.authorization.k8s.io")).toBe(true);
    expect(may(user("bob"), "list", "pods", "a")).toBe(false);
    expect(
      authorize({
        ...ask({ name: "system:anonymous", groups: ["system:unauthenticated"] }, "get", ""),
        path: "/version",
      }).allowed,
    ).toBe(true);
    expect(authorize({ ...ask(user("bob"), "get", ""), path: "/openapi/v3/apis/apps/v1" }).allowed).toBe(true);
    expect(authorize({ ...ask(user("bob"), "get", ""), path: "/metrics" }).allowed).toBe(false);
  });

  it("are given back what they lost, keep what they gained, and are left alone on request", async () => {
    const { revision } = store;
    await bootstrapPolicy(store, systemClock, randomUUID);
    expect(store.revision).toBe(revision);
    const extra = { verbs: ["get"], apiGroups: [""], resources: ["extras"] };
    await write(
      "clusterroles",
      role("system:basic-user", [extra], { metadata: { name: "system:basic-user", annotations: {} } }),
    );
    await write(
      "clusterroles",
      role("system:discovery", [], {
        metadata: {
          name: "system:discovery",
          annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" },
        },
      }),
    );
    await bootstrapPolicy(store, systemClock, randomUUID);
    expect(may(user("bob"), "get", "extras")).toBe(true);
    expect(may(user("bob"), "create", "selfsubjectaccessreviews.authorization.k8s.io")).toBe(true);
    expect(store.get(keyOf(`clusterroles.${API}`, "", "system:discovery"))?.object["rules"]).toEqual([]);
  });

  it("say in `admin` what it gathers", () => {
    const admin = store.get(keyOf(`clusterroles.${API}`, "", "admin"))?.object["rules"] as PolicyRule[];
    expect(admin.some((rule) => ruleAllows(rule, ask(user("x"), "delete", "deployments.apps", "a")))).toBe(true);
  });
});

describe("bindings", () => {
  it("hold in their namespace, or everywhere, from the commit on", async () => {
    await write("rolebindings", bind("RoleBinding", "b", "ClusterRole/view", { kind: "User", name: "bob" }, "a"));
    expect([
      may(user("bob"), "list", "pods", "a"),
      may(user("bob"), "list", "pods", "b"),
      may(user("bob"), "list", "pods"),
    ]).toEqual([true, false, false]);
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "b", "ClusterRole/view", { kind: "Group", name: "team" }),
    );
    expect([may(user("eve", "team"), "list", "pods", "b"), may(user("eve"), "list", "pods", "b")]).toEqual([
      true,
      false,
    ]);
    await store.write(keyOf(`rolebindings.${API}`, "a", "b"), ACTOR, () => ({ op: "delete" }));
    expect(may(user("bob"), "list", "pods", "a")).toBe(false);
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "b", "ClusterRole/view", { kind: "Group", name: "others" }),
    );
    expect(may(user("eve", "team"), "list", "pods", "b")).toBe(false);
  });

  it("name a ServiceAccount by its namespace, or the binding's", async () => {
    await write(
      "rolebindings",
      bind("RoleBinding", "b", "ClusterRole/edit", { kind: "ServiceAccount", name: "ci" }, "a"),
    );
    expect(may(user("system:serviceaccount:a:ci"), "create", "configmaps", "a")).toBe(true);
    expect(may(user("system:serviceaccount:b:ci"), "create", "configmaps", "a")).toBe(false);
  });

  it("tell why they allow, and what they miss", async () => {
    await write("rolebindings", bind("RoleBinding", "b", "Role/gone", { kind: "User", name: "eve" }, "a"));
    expect(refusal(user("eve"), "get", "pods", "a", "x")).toBe(
      'pods "x" is forbidden: User "eve" cannot get resource "pods" in API group "" in the namespace "a": RBAC: role.rbac.authorization.k8s.io "gone" not found',
    );
    expect(refusal(user("bob"), "get", "pods/log", "a", "x")).toBe(
      'pods "x" is forbidden: User "bob" cannot get resource "pods/log" in API group "" in the namespace "a"',
    );
    expect(refusal(user("bob"), "list", "deployments.apps")).toBe(
      'deployments.apps is forbidden: User "bob" cannot list resource "deployments" in API group "apps" at the cluster scope',
    );
    const path = { ...ask(user("bob"), "get", ""), path: "/metrics" };
    expect(forbiddenError(path, authorize(path)).message).toBe('forbidden: User "bob" cannot get path "/metrics"');
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "c", "ClusterRole/view", { kind: "Group", name: "team" }),
    );
    expect(authorize(ask(user("eve", "team"), "list", "pods")).reason).toBe(
      'RBAC: allowed by ClusterRoleBinding "c" of ClusterRole "view" to Group "team"',
    );
  });
});

describe("aggregated roles", () => {
  it("take in a new part at once, nested ones too, and survive a circle", async () => {
    await write("rolebindings", bind("RoleBinding", "b", "ClusterRole/admin", { kind: "User", name: "bob" }, "a"));
    expect(may(user("bob"), "get", "widgets.example.com", "a")).toBe(false);
    const rules = [{ verbs: ["get"], apiGroups: ["example.com"], resources: ["widgets"] }];
    await write(
      "clusterroles",
      role("widgets-view", rules, {
        metadata: {
          name: "widgets-view",
          labels: { [`${"rbac.authorization.k8s.io"}/aggregate-to-view`]: "true" },
        },
      }),
    );
    expect(may(user("bob"), "get", "widgets.example.com", "a")).toBe(true);
    const circle = (name: string, other: string) =>
      role(name, [], {
        metadata: { name, labels: { circle: name } },
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: { circle: other } }] },
      });
    await write("clusterroles", circle("one", "two"));
    await write("clusterroles", circle("two", "one"));
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "b", "ClusterRole/one", { kind: "User", name: "eve" }),
    );
    expect(may(user("eve"), "get", "pods", "a")).toBe(false);
  });
});

describe("granting", () => {
  const admit = (who: UserInfo, resource: string, object: KubeObject, oldObject?: KubeObject): void =>
    checkEscalation(index, authorize, {
      operation: oldObject === undefined ? "CREATE" : "UPDATE",
      user: who,
      group: API,
      version: "v1",
      resource,
      subresource: "",
      kind: object.kind,
      namespace: object.metadata.namespace ?? "",
      name: object.metadata.name ?? "",
      object,
      oldObject,
      dryRun: false,
    });
  const bob = user("bob");

  it("is refused beyond what the writer holds, and says what is missing", () => {
    const wanted = [
      { verbs: ["get", "list"], apiGroups: ["foo", "bar"], resources: ["things"] },
      { verbs: ["get"], apiGroups: [""], resources: ["nodes"], resourceNames: ["a", "b"] },
    ];
    expect(() => admit(bob, "roles", { ...role("r1", wanted), metadata: { name: "r1", namespace: "a" } })).toThrow(
      'roles.rbac.authorization.k8s.io "r1" is forbidden: user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], ResourceNames:["a"], Verbs:["get"]}\n{APIGroups:[""], Resources:["nodes"], ResourceNames:["b"], Verbs:["get"]}\n' +
        '{APIGroups:["bar"], Resources:["things"], Verbs:["get" "list"]}\n{APIGroups:["foo"], Resources:["things"], Verbs:["get" "list"]}',
    );
    expect(() =>
      admit(
        bob,
        "rolebindings",
        bind("RoleBinding", "b", "ClusterRole/cluster-admin", { kind: "User", name: "bob" }, "a"),
      ),
    ).toThrow('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}');
    expect(() =>
      admit(bob, "rolebindings", bind("RoleBinding", "b", "Role/nope", { kind: "User", name: "bob" }, "a")),
    ).toThrow('rolebindings.rbac.authorization.k8s.io "nope" not found');
    expect(() =>
      admit(bob, "clusterroles", role("r", [], { aggregationRule: { clusterRoleSelectors: [{}] } })),
    ).toThrow("must have cluster-admin privileges to use the aggregationRule");
  });

  it("is allowed within it, to masters, to those who may escalate or bind, and where nothing is granted anew", async () => {
    const wanted = [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }];
    const master = user("admin", "system:masters");
    expect(() => admit(master, "clusterroles", role("r", wanted))).not.toThrow();
    expect(() => admit(bob, "clusterroles", role("r", wanted))).toThrow("not currently held");
    expect(() =>
      admit(bob, "clusterroles", role("r", wanted, { metadata: { name: "r", labels: { x: "y" } } }), role("r", wanted)),
    ).not.toThrow();
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "v", "ClusterRole/view", { kind: "User", name: "bob" }),
    );
    expect(() => admit(bob, "clusterroles", role("r", wanted))).not.toThrow();
    await write(
      "clusterroles",
      role("binder", [{ verbs: ["bind"], apiGroups: [API], resources: ["clusterroles"], resourceNames: ["admin"] }]),
    );
    await write(
      "clusterrolebindings",
      bind("ClusterRoleBinding", "w", "ClusterRole/binder", { kind: "User", name: "bob" }),
    );
    expect(() =>
      admit(bob, "rolebindings", bind("RoleBinding", "b", "ClusterRole/admin", { kind: "User", name: "eve" }, "a")),
    ).not.toThrow();
    expect(() =>
      admit(
        bob,
        "rolebindings",
        bind("RoleBinding", "b", "ClusterRole/cluster-admin", { kind: "User", name: "eve" }, "a"),
      ),
    ).toThrow("not currently held");
  });
});

describe("access reviews", () => {
  const review = (resource: string, spec: object, who = user("bob"), namespace = ""): KubeObject | undefined =>
    answerAccessReview(index, authorize, {
      group: "authorization.k8s.io",
      resource,
      namespace,
      user: who,
      object: { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", metadata: {}, spec },
    });

  it("answer about oneself and about others", async () => {
    await write("rolebindings", bind("RoleBinding", "b", "ClusterRole/view", { kind: "User", name: "bob" }, "a"));
    const resourceAttributes = { namespace: "a", verb: "get", resource: "pods" };
    expect(review("selfsubjectaccessreviews", { resourceAttributes })?.["status"]).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "b/a" of ClusterRole "view" to User "bob"',
    });
    expect(review("subjectaccessreviews", { user: "eve", resourceAttributes })?.["status"]).toEqual({
      allowed: false,
    });
    expect(
      review("subjectaccessreviews", {
        user: "eve",
        groups: ["system:masters"],
        nonResourceAttributes: { path: "/metrics", verb: "get" },
      })?.["status"],
    ).toEqual({ allowed: true });
    expect(
      review("localsubjectaccessreviews", { user: "bob", resourceAttributes }, user("x"), "a")?.["status"],
    ).toMatchObject({ allowed: true });
    expect(review("other", {})).toBeUndefined();
  });

  it("refuse what is no question", () => {
    expect(() => review("subjectaccessreviews", {})).toThrow(
      'SubjectAccessReview.authorization.k8s.io "" is invalid: [spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: "": at least one of user or group must be specified]',
    );
    expect(() =>
      review("localsubjectaccessreviews", { user: "u", resourceAttributes: { namespace: "b" } }, user("x"), "a"),
    ).toThrow('spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace');
    expect(() => review("selfsubjectrulesreviews", {})).toThrow("no namespace on request");
  });

  it("list a user's rules", () => {
    const status = review("selfsubjectrulesreviews", { namespace: "a" })?.["status"] as {
      resourceRules: unknown[];
      nonResourceRules: unknown[];
      incomplete: boolean;
    };
    expect(status.incomplete).toBe(false);
    expect(status.resourceRules).toContainEqual({
      verbs: ["create"],
      apiGroups: ["authentication.k8s.io"],
      resources: ["selfsubjectreviews"],
    });
    expect(status.nonResourceRules.length).toBeGreaterThan(0);
    expect(rulesFor(index, user("m", "system:masters"), "a")).toHaveLength(2);
  });
});
