import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import type { Store } from "../../store/store.ts";
import { ACTOR, keyOf, storeFixture } from "../../store/store-fixture.ts";
import type { StoreFixture } from "../../store/store-fixture.ts";
import type { AdmissionAttributes, Authorize } from "../access.ts";
import { runAdmission } from "../testing/run-admission.ts";
import { admissionChain } from "./chain.ts";
import { defaultIngressClass, defaultStorageClass } from "./default-class.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { ownerReferences } from "./owner-references.ts";
import type { AdmissionPlugin } from "./plugin.ts";
import { priority } from "./priority.ts";
import { runtimeClass } from "./runtime-class.ts";
import { serviceAccountPlugin } from "./service-account.ts";

let fixture: StoreFixture;
let store: Store;
beforeEach(async () => {
  fixture = storeFixture();
  store = await fixture.open();
  await have("namespaces.", { metadata: { name: "a" } });
});
afterEach(() => fixture.dispose());

type Fields = Partial<KubeObject>;
const object = (fields: Fields): KubeObject => ({ apiVersion: "v1", kind: "X", metadata: {}, ...fields });
const have = (table: string, fields: Fields) =>
  store.write(keyOf(table, fields.metadata?.namespace ?? "", fields.metadata?.name ?? ""), ACTOR, () => ({
    op: "put",
    object: object(fields),
  }));
const pod = (spec: object = {}, metadata: object = {}): KubeObject =>
  object({
    kind: "Pod",
    metadata: { namespace: "a", name: "p", ...metadata },
    spec: { containers: [{ name: "c" }], ...spec },
  });

function admit(
  plugins: readonly AdmissionPlugin[],
  given: KubeObject | undefined,
  more: Partial<AdmissionAttributes> = {},
): KubeObject {
  const attributes: AdmissionAttributes = {
    operation: "CREATE",
    user: { name: "bob", groups: [] },
    group: "",
    version: "v1",
    resource: "pods",
    subresource: "",
    kind: "Pod",
    namespace: given?.metadata.namespace ?? "",
    name: given?.metadata.name ?? "",
    object: given,
    oldObject: undefined,
    dryRun: false,
    ...more,
  };
  return runAdmission(admissionChain(plugins, store), attributes) ?? object({});
}
const specOf = (admitted: KubeObject) => admitted["spec"] as Record<string, unknown>;

describe("NamespaceLifecycle", () => {
  const configMap = (namespace: string): KubeObject => object({ metadata: { namespace, name: "x" } });
  const create = (namespace: string) => admit([namespaceLifecycle], configMap(namespace), { resource: "configmaps" });

  it("lets things into namespaces that are there and stay", async () => {
    expect(() => create("a")).not.toThrow();
    expect(() => create("nons")).toThrow('namespaces "nons" not found');
    await have("namespaces.", { metadata: { name: "t", deletionTimestamp: "2026-01-01T00:00:00Z" } });
    expect(() => create("t")).toThrow(
      'configmaps "x" is forbidden: unable to create new content in namespace t because it is being terminated',
    );
    expect(() =>
      admit([namespaceLifecycle], configMap("t"), { operation: "UPDATE", resource: "configmaps" }),
    ).not.toThrow();
    expect(() =>
      admit([namespaceLifecycle], configMap("nons"), {
        resource: "localsubjectaccessreviews",
        group: "authorization.k8s.io",
      }),
    ).not.toThrow();
  });

  it("keeps the cluster's own namespaces", () => {
    const drop = (name: string) =>
      admit([namespaceLifecycle], undefined, { operation: "DELETE", resource: "namespaces", name });
    expect(() => drop("kube-system")).toThrow(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    );
    expect(() => drop("a")).not.toThrow();
  });
});

describe("ServiceAccount", () => {
  const plugins = [serviceAccountPlugin(() => 0)];
  const MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

  it("gives a pod the default account, its token and its pull secrets", async () => {
    await have("serviceaccounts.", {
      metadata: { namespace: "a", name: "default" },
      imagePullSecrets: [{ name: "reg" }],
    });
    const given = pod({ initContainers: [{ name: "i" }] });
    const spec = specOf(admit(plugins, given));
    const volumeMounts = [{ name: "kube-api-access-bbbbb", readOnly: true, mountPath: MOUNT }];
    expect(spec).toMatchObject({
      serviceAccountName: "default",
      serviceAccount: "default",
      imagePullSecrets: [{ name: "reg" }],
      containers: [{ name: "c", volumeMounts }],
      initContainers: [{ name: "i", volumeMounts }],
    });
    expect(spec["volumes"]).toEqual([
      {
        name: "kube-api-access-bbbbb",
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
              },
            },
          ],
          defaultMode: 420,
        },
      },
    ]);
    expect(given["spec"]).toEqual({ containers: [{ name: "c" }], initContainers: [{ name: "i" }] });
  });

  it("mounts no token where account, pod or an own mount say so", async () => {
    await have("serviceaccounts.", {
      metadata: { namespace: "a", name: "quiet" },
      automountServiceAccountToken: false,
    });
    expect(specOf(admit(plugins, pod({ serviceAccountName: "quiet" })))["volumes"]).toBeUndefined();
    expect(
      specOf(admit(plugins, pod({ serviceAccountName: "quiet", automountServiceAccountToken: true })))["volumes"],
    ).toHaveLength(1);
    const own = [{ name: "c", volumeMounts: [{ name: "mine", mountPath: MOUNT }] }];
    expect(
      specOf(admit(plugins, pod({ serviceAccountName: "quiet", automountServiceAccountToken: true, containers: own })))[
        "containers"
      ],
    ).toEqual(own);
  });

  it("refuses an account that is not there, and leaves mirror pods alone", () => {
    expect(() => admit(plugins, pod({ serviceAccountName: "nope" }))).toThrow(
      'pods "p" is forbidden: error looking up service account a/nope: serviceaccount "nope" not found',
    );
    const mirror = pod({}, { annotations: { "kubernetes.io/config.mirror": "x" } });
    expect(admit(plugins, mirror)).toBe(mirror);
  });
});

describe("Priority", () => {
  const plugins = [priority];
  const TABLE = "priorityclasses.scheduling.k8s.io";

  it("turns names into numbers, system classes and the default one included", async () => {
    expect(specOf(admit(plugins, pod()))).toMatchObject({
      priority: 0,
      preemptionPolicy: "PreemptLowerPriority",
    });
    expect(specOf(admit(plugins, pod({ priorityClassName: "system-node-critical" })))["priority"]).toBe(2_000_001_000);
    await have(TABLE, { metadata: { name: "high" }, value: 7, preemptionPolicy: "Never" });
    expect(specOf(admit(plugins, pod({ priorityClassName: "high" })))).toMatchObject({
      priority: 7,
      preemptionPolicy: "Never",
    });
    await have(TABLE, { metadata: { name: "usual" }, value: 3, globalDefault: true });
    expect(specOf(admit(plugins, pod()))).toMatchObject({ priority: 3, priorityClassName: "usual" });
  });

  it("refuses what does not fit", async () => {
    expect(() => admit(plugins, pod({ priorityClassName: "nope" }))).toThrow(
      'pods "p" is forbidden: no PriorityClass with name nope was found',
    );
    expect(() => admit(plugins, pod({ priority: 5 }))).toThrow(
      "the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name",
    );
    await have(TABLE, { metadata: { name: "d1" }, value: 3, globalDefault: true });
    const second = object({ metadata: { name: "d2" }, value: 5, globalDefault: true });
    const more = { group: "scheduling.k8s.io", resource: "priorityclasses" };
    expect(() => admit(plugins, second, more)).toThrow(
      'priorityclasses.scheduling.k8s.io "d2" is forbidden: PriorityClass d1 is already marked as default. Only one default can exist',
    );
    expect(() =>
      admit(plugins, object({ metadata: { name: "d1" }, globalDefault: true }), {
        ...more,
        operation: "UPDATE",
      }),
    ).not.toThrow();
  });

  it("keeps a pod's number when an update leaves it out", () => {
    expect(specOf(admit(plugins, pod(), { operation: "UPDATE", oldObject: pod({ priority: 9 }) }))["priority"]).toBe(9);
  });
});

describe("defaults", () => {
  it("let a pod stay five minutes on a lost node, unless it says otherwise", () => {
    const given = specOf(
      admit(
        [defaultTolerationSeconds],
        pod({
          tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" }],
        }),
      ),
    );
    expect(given["tolerations"]).toEqual([
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
      {
        key: "node.kubernetes.io/unreachable",
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: 300,
      },
    ]);
    const all = pod({ tolerations: [{ operator: "Exists" }] });
    expect(admit([defaultTolerationSeconds], all)).toBe(all);
  });

  it("fill in the youngest default class of storage and ingress", async () => {
    const marked = { "storageclass.kubernetes.io/is-default-class": "true" };
    await have("storageclasses.storage.k8s.io", {
      metadata: { name: "old", annotations: marked, creationTimestamp: "2026-01-01T00:00:00Z" },
    });
    await have("storageclasses.storage.k8s.io", {
      metadata: { name: "young", annotations: marked, creationTimestamp: "2026-01-02T00:00:00Z" },
    });
    const claim = (spec: object) =>
      specOf(
        admit([defaultStorageClass], object({ metadata: { namespace: "a", name: "c" }, spec }), {
          resource: "persistentvolumeclaims",
        }),
      )["storageClassName"];
    expect([claim({}), claim({ storageClassName: "" }), claim({ storageClassName: "own" })]).toEqual([
      "young",
      "",
      "own",
    ]);
    await have("ingressclasses.networking.k8s.io", {
      metadata: { name: "ours", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
    });
    const ingress = admit([defaultIngressClass], object({ metadata: { namespace: "a", name: "i" }, spec: {} }), {
      group: "networking.k8s.io",
      resource: "ingresses",
    });
    expect(specOf(ingress)["ingressClassName"]).toBe("ours");
  });

  it("take over a RuntimeClass, and refuse a missing one", async () => {
    expect(() => admit([runtimeClass], pod({ runtimeClassName: "nope" }))).toThrow(
      'pods "p" is forbidden: pod rejected: RuntimeClass "nope" not found',
    );
    await have("runtimeclasses.node.k8s.io", {
      metadata: { name: "vm" },
      overhead: { podFixed: { cpu: "1" } },
      scheduling: { nodeSelector: { vm: "yes" }, tolerations: [{ key: "vm" }] },
    });
    expect(specOf(admit([runtimeClass], pod({ runtimeClassName: "vm", nodeSelector: { x: "y" } })))).toMatchObject({
      overhead: { cpu: "1" },
      nodeSelector: { x: "y", vm: "yes" },
      tolerations: [{ key: "vm" }],
    });
    expect(() => admit([runtimeClass], pod({ runtimeClassName: "vm", nodeSelector: { vm: "no" } }))).toThrow(
      "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
    );
  });
});

describe("OwnerReferencesPermissionEnforcement", () => {
  const allow = new Set<string>();
  const authorize: Authorize = ({ verb, resource, subresource }) => ({
    allowed: allow.has(`${verb} ${resource}${subresource === "" ? "" : `/${subresource}`}`),
    reason: "",
  });
  const plugins = [
    ownerReferences(authorize, (_group, kind) =>
      kind === "Deployment" ? { resource: "deployments", namespaced: true } : undefined,
    ),
  ];
  const owned = (owner: object) =>
    pod({}, { ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: "d", uid: "1", ...owner }] });
  afterEach(() => allow.clear());

  it("asks who sets owners for the right to delete, and to hold back deletion", () => {
    expect(() => admit(plugins, owned({}))).not.toThrow();
    expect(() => admit(plugins, owned({}), { operation: "UPDATE", oldObject: pod() })).toThrow(
      'pods "p" is forbidden: cannot set an ownerRef on a resource you can\'t delete',
    );
    expect(() => admit(plugins, owned({ blockOwnerDeletion: true }))).toThrow(
      "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on",
    );
    expect(() => admit(plugins, owned({ blockOwnerDeletion: true, kind: "Other" }))).toThrow(
      "cannot find RESTMapping for APIVersion apps/v1 Kind Other",
    );
    allow.add("update deployments/finalizers").add("delete pods");
    expect(() =>
      admit(plugins, owned({ blockOwnerDeletion: true }), { operation: "UPDATE", oldObject: pod() }),
    ).not.toThrow();
  });
});
