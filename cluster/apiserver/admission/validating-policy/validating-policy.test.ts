import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject, StatusError } from "@travelops/kube";
import { put, storeFixture, type StoreFixture } from "../../../store/store-fixture.ts";
import type { Store } from "../../../store/store.ts";
import type { AdmissionAttributes } from "../../access.ts";
import { resourceOfKind, versionsOf } from "../resource-of-kind.ts";
import { BINDINGS, POLICIES } from "./policy.ts";
import { ValidatingPolicies } from "./validating-policy.ts";

let fixture: StoreFixture;
let store: Store;
let policies: ValidatingPolicies;
beforeEach(async () => {
  fixture = storeFixture();
  store = await fixture.open();
  policies = new ValidatingPolicies({
    store,
    authorize: ({ verb }) => ({ allowed: verb === "get", reason: "" }),
    resourceOfKind: resourceOfKind(store),
    versionsOf: versionsOf(store),
  });
  for (const name of ["a", "b"])
    await put(store, "namespaces.", object("Namespace", { name, labels: { name } }, { status: { phase: "Active" } }));
});
afterEach(async () => {
  policies.close();
  await fixture.dispose();
});

const object = (kind: string, metadata: KubeObject["metadata"], more: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata,
  ...more,
});

const ANYTHING = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], scope: "*" };

interface Given {
  readonly validations?: readonly object[];
  readonly policy?: object;
  readonly binding?: object;
  readonly rules?: readonly object[];
  readonly name?: string;
}

async function have({
  validations = [],
  policy = {},
  binding = {},
  rules = [ANYTHING],
  name = "p",
}: Given): Promise<void> {
  const spec = { matchConstraints: { resourceRules: rules, matchPolicy: "Equivalent" }, validations, ...policy };
  await put(store, POLICIES, object("ValidatingAdmissionPolicy", { name }, { spec }));
  const bound = { policyName: name, validationActions: ["Deny"], ...binding };
  await put(store, BINDINGS, object("ValidatingAdmissionPolicyBinding", { name }, { spec: bound }));
}

interface Outcome {
  readonly refused: string;
  readonly code: number;
  readonly warnings: readonly string[];
}

function admit(given: KubeObject | undefined, more: Partial<AdmissionAttributes> = {}): Outcome {
  const warnings: string[] = [];
  const attributes: AdmissionAttributes = {
    operation: "CREATE",
    user: { name: "bob", groups: ["staff"] },
    group: "",
    version: "v1",
    resource: "configmaps",
    subresource: "",
    kind: "ConfigMap",
    namespace: given?.metadata.namespace ?? "",
    name: given?.metadata.name ?? "",
    object: given,
    oldObject: undefined,
    dryRun: false,
    warn: (text) => void warnings.push(text),
    ...more,
  };
  try {
    policies.validate(attributes, store);
    return { refused: "", code: 0, warnings };
  } catch (error) {
    return {
      refused: (error as Error).message.replace(/^.* denied request: /, ""),
      code: (error as StatusError).code,
      warnings,
    };
  }
}

const configMap = (data: object, namespace = "a"): KubeObject =>
  object("ConfigMap", { name: "c", namespace }, { data });

describe("a policy", () => {
  it("does nothing before a binding puts it to use, and all at once from then on", async () => {
    await put(
      store,
      POLICIES,
      object(
        "ValidatingAdmissionPolicy",
        { name: "p" },
        { spec: { matchConstraints: { resourceRules: [ANYTHING] }, validations: [{ expression: "false" }] } },
      ),
    );
    expect(admit(configMap({})).refused).toBe("");
    await have({ validations: [{ expression: "false" }] });
    expect(admit(configMap({}))).toMatchObject({ refused: "failed expression: false", code: 422 });
    await have({ validations: [{ expression: "true" }] });
    expect(admit(configMap({})).refused).toBe("");
  });

  it("refuses with its reason, of several the first", async () => {
    await have({
      validations: [
        { expression: "true" },
        { expression: "1 > 2", message: "  no  ", reason: "Forbidden" },
        { expression: "false" },
      ],
    });
    expect(admit(configMap({}))).toMatchObject({ refused: "no", code: 403 });
  });

  it("falls back to the message where its expression makes none", async () => {
    await have({ validations: [{ expression: "false", messageExpression: "object.data.none", message: "stated" }] });
    expect(admit(configMap({})).refused).toBe("stated");
    await have({ validations: [{ expression: "false", messageExpression: "'a\\nb'" }] });
    expect(admit(configMap({})).refused).toBe("failed expression: false");
  });

  it("warns where its binding says so, for each fault", async () => {
    await have({
      validations: [
        { expression: "false", message: "one" },
        { expression: "false", message: "two" },
      ],
      binding: { validationActions: ["Warn", "Audit"] },
    });
    expect(admit(configMap({}))).toMatchObject({
      refused: "",
      warnings: [expect.stringMatching(/'p' with binding 'p': one$/), expect.stringMatching(/two$/)],
    });
  });

  it("sees what is deleted, and who asks", async () => {
    await have({
      validations: [
        {
          expression: "object == null && oldObject.data.keep == 'no' || 'admins' in request.userInfo.groups",
          message: "kept",
        },
      ],
      rules: [{ ...ANYTHING, operations: ["DELETE"] }],
    });
    const gone = { operation: "DELETE", object: undefined, name: "c", namespace: "a" } as const;
    expect(admit(undefined, { ...gone, oldObject: configMap({ keep: "yes" }) }).refused).toBe("kept");
    expect(admit(undefined, { ...gone, oldObject: configMap({ keep: "no" }) }).refused).toBe("");
    expect(
      admit(undefined, { ...gone, oldObject: configMap({ keep: "yes" }), user: { name: "x", groups: ["admins"] } })
        .refused,
    ).toBe("");
  });

  it("evaluates a variable once, and none that is not asked for", async () => {
    const variables = [
      { name: "size", expression: "size(object.data)" },
      { name: "bad", expression: "object.data.missing" },
      { name: "twice", expression: "variables.size * 2" },
    ];
    await have({
      policy: { variables },
      validations: [{ expression: "variables.twice == 4 || has(object.data.z) && variables.bad == ''" }],
    });
    expect(admit(configMap({ x: "1", y: "2" })).refused).toBe("");
    expect(admit(configMap({ z: "1" })).refused).toMatch(
      /composited variable "bad" fails to evaluate: no such key: missing$/,
    );
  });

  it("stops at what an expression may cost", async () => {
    const list = `[${Array.from({ length: 60 }, (_, i) => i).join(",")}]`;
    const loop = `${list}.all(a, ${list}.all(b, ${list}.all(c, ${list}.all(d, a + b + c + d >= 0))))`;
    await have({ validations: [{ expression: loop }] });
    expect(admit(configMap({})).refused).toMatch(/resulted in error: operation cancelled: actual cost limit exceeded$/);
    await have({ validations: [{ expression: loop }], policy: { failurePolicy: "Ignore" } });
    expect(admit(configMap({})).refused).toBe("");
  });

  it("stops at what all expressions, conditions and messages of a policy may cost", async () => {
    const deep = (size: number): string =>
      `lists.range(${size}).all(a, lists.range(int('${size}')).all(b, a + b >= 0))`;
    const outOfBudget = "validation failed due to running out of cost budget, no further validation rules will be run";
    const eleven = (validation: object): object[] => Array.from({ length: 11 }, () => validation);
    await have({ validations: eleven({ expression: deep(330) }) as never });
    expect(admit(configMap({})).refused).toBe("");
    await have({ validations: eleven({ expression: deep(345) }) as never });
    expect(admit(configMap({})).refused).toMatch(new RegExp(`${outOfBudget}$`));
    const told = { expression: "object == null", messageExpression: `${deep(345)} ? 'a' : 'b'` };
    await have({ validations: eleven(told) as never });
    expect(admit(configMap({})).refused).toMatch(new RegExp(`failed messageExpression: ${outOfBudget}$`));
    const matchConditions = [0, 1, 2].map((i) => ({ name: `c${i}`, expression: deep(330) }));
    await have({ validations: [{ expression: "true" }], policy: { matchConditions } });
    expect(admit(configMap({})).refused).toMatch(new RegExp(`${outOfBudget}$`));
  });

  it("asks the authorizer", async () => {
    await have({
      validations: [
        {
          expression:
            "authorizer.requestResource.check('get').allowed() && !authorizer.group('').resource('secrets').check('list').allowed()",
        },
      ],
    });
    expect(admit(configMap({})).refused).toBe("");
  });

  it("leaves policies and reviews alone", async () => {
    await have({ validations: [{ expression: "false" }] });
    expect(
      admit(configMap({}), { group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicies" }).refused,
    ).toBe("");
    expect(admit(configMap({}), { group: "authorization.k8s.io", resource: "subjectaccessreviews" }).refused).toBe("");
    expect(
      admit(configMap({}), { group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations" })
        .refused,
    ).not.toBe("");
  });
});

describe("what a policy matches", () => {
  const deny = [{ expression: "false", message: "matched" }];
  it.each<[string, object, Partial<AdmissionAttributes>, boolean]>([
    ["another operation", { operations: ["UPDATE"] }, {}, false],
    ["another group", { apiGroups: ["apps"] }, {}, false],
    ["a subresource without asking for it", { resources: ["configmaps"] }, { subresource: "status" }, false],
    ["a subresource", { resources: ["*/status"] }, { subresource: "status" }, true],
    ["cluster-scoped things", { scope: "Cluster" }, {}, false],
    ["namespaced things", { scope: "Namespaced" }, {}, true],
    ["a name", { resourceNames: ["c"] }, {}, true],
    ["another name", { resourceNames: ["d"] }, {}, false],
  ])("%s", async (_, rule, more, matches) => {
    await have({ validations: deny, rules: [{ ...ANYTHING, ...rule }] });
    expect(admit(configMap({}), more).refused).toBe(matches ? "matched" : "");
  });

  it("is equivalent in another version, unless it is to be exact", async () => {
    const rules = [
      { ...ANYTHING, apiGroups: ["autoscaling"], apiVersions: ["v1"], resources: ["horizontalpodautoscalers"] },
    ];
    const request = {
      group: "autoscaling",
      version: "v2",
      resource: "horizontalpodautoscalers",
      kind: "HorizontalPodAutoscaler",
    };
    await have({ validations: [{ expression: "request.resource.version == 'v2'", message: "matched" }], rules });
    expect(admit(configMap({}), request).refused).toBe("matched");
    await have({ validations: deny, policy: { matchConstraints: { resourceRules: rules, matchPolicy: "Exact" } } });
    expect(admit(configMap({}), request).refused).toBe("");
  });

  it("is narrowed by its binding, by namespace and by label", async () => {
    await have({
      validations: deny,
      binding: { matchResources: { namespaceSelector: { matchLabels: { name: "b" } } } },
    });
    expect(admit(configMap({})).refused).toBe("");
    expect(admit(configMap({}, "b")).refused).toBe("matched");
    expect(admit(object("Node", { name: "n" }), { resource: "nodes", kind: "Node" }).refused).toBe("matched");
    await have({ validations: deny, policy: { matchConditions: [{ name: "x", expression: "object.data.x == 'y'" }] } });
    expect(admit(configMap({ x: "y" })).refused).toBe("matched");
    expect(admit(configMap({ x: "z" })).refused).toBe("");
    expect(admit(configMap({})).refused).toMatch(/resulted in error: no such key: x$/);
  });
});

describe("parameters", () => {
  const spec = { paramKind: { apiVersion: "v1", kind: "ConfigMap" } };
  const validations = [
    { expression: "object.data.n != params.data.n", messageExpression: "'not ' + params.metadata.name" },
  ];
  const bind = (paramRef: object): object => ({ paramRef: { parameterNotFoundAction: "Deny", ...paramRef } });
  beforeEach(async () => {
    await put(
      store,
      "configmaps.",
      object("ConfigMap", { name: "one", namespace: "a", labels: { x: "y" } }, { data: { n: "1" } }),
    );
    await put(
      store,
      "configmaps.",
      object("ConfigMap", { name: "two", namespace: "a", labels: { x: "y" } }, { data: { n: "2" } }),
    );
  });

  it("come by name from the namespace of the request, or from their own", async () => {
    await have({ validations, policy: spec, binding: bind({ name: "one" }) });
    expect(admit(configMap({ n: "1" })).refused).toBe("not one");
    expect(admit(configMap({ n: "2" })).refused).toBe("");
    expect(admit(configMap({ n: "1" }, "b")).refused).toMatch(/^failed to configure binding: no params found/);
    expect(admit(object("Node", { name: "n" }), { resource: "nodes" }).refused).toBe(
      "failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
    );
    await have({ validations, policy: spec, binding: bind({ name: "two", namespace: "a" }) });
    expect(admit(configMap({ n: "2" }, "b")).refused).toBe("not two");
  });

  it("come by label, all of them; none may be allowed", async () => {
    await have({ validations, policy: spec, binding: bind({ selector: { matchLabels: { x: "y" } } }) });
    expect(admit(configMap({ n: "2" })).refused).toBe("not two");
    expect(admit(configMap({ n: "3" })).refused).toBe("");
    await have({
      validations,
      policy: spec,
      binding: bind({ selector: { matchLabels: { x: "z" } }, parameterNotFoundAction: "Allow" }),
    });
    expect(admit(configMap({ n: "2" })).refused).toBe("");
  });

  it("may be of a kind that a CRD defines; of no kind they are a fault", async () => {
    const limits = { ...spec, paramKind: { apiVersion: "x.io/v1", kind: "Limit" } };
    await have({ validations, policy: limits, binding: bind({ name: "one" }) });
    expect(admit(configMap({ n: "1" })).refused).toBe(
      "failed to configure policy: failed to find resource referenced by paramKind: 'x.io/v1, Kind=Limit'",
    );
    await put(
      store,
      "customresourcedefinitions.apiextensions.k8s.io",
      object(
        "CustomResourceDefinition",
        { name: "limits.x.io" },
        { spec: { group: "x.io", scope: "Cluster", names: { kind: "Limit", plural: "limits" } } },
      ),
    );
    await put(store, "limits.x.io", object("Limit", { name: "one" }, { data: { n: "1" } }));
    expect(admit(configMap({ n: "1" })).refused).toBe("not one");
  });
});
