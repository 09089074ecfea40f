import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import type { Store, StoredObject } from "../../store/store.ts";
import { ACTOR, keyOf, storeFixture } from "../../store/store-fixture.ts";
import type { StoreFixture } from "../../store/store-fixture.ts";
import { runAdmission } from "../testing/run-admission.ts";
import { admissionChain } from "./chain.ts";
import { limitRanger } from "./limit-ranger.ts";
import { resourceQuota } from "./resource-quota.ts";

let fixture: StoreFixture;
let store: Store;
beforeEach(async () => {
  fixture = storeFixture();
  store = await fixture.open();
});
afterEach(() => fixture.dispose());

const object = (name: string, fields: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "X",
  metadata: { namespace: "a", name },
  ...fields,
});
const container = (name: string, requests: object = {}, limits: object = {}): object => ({
  name,
  resources: { requests, limits },
});
const pod = (name: string, ...containers: object[]): KubeObject => object(name, { spec: { containers } });

/** Creates or updates an object the way the API server does: admission inside the store's change. */
function write(resource: string, given: KubeObject, group = ""): Promise<StoredObject | undefined> {
  const chain = admissionChain([limitRanger, resourceQuota], store);
  return store.write(keyOf(`${resource}.${group}`, "a", given.metadata.name ?? ""), ACTOR, (current) => {
    const admitted = runAdmission(chain, {
      operation: current === undefined ? "CREATE" : "UPDATE",
      user: { name: "bob", groups: [] },
      group,
      version: "v1",
      resource,
      subresource: "",
      kind: "X",
      namespace: "a",
      name: given.metadata.name ?? "",
      object: given,
      oldObject: current?.object,
      dryRun: false,
    });
    return { op: "put", object: admitted ?? given };
  });
}
const says = (writing: Promise<unknown>): Promise<string> =>
  writing.then(
    () => "ok",
    (error: Error) => error.message,
  );

describe("LimitRanger", () => {
  const limits = [
    {
      type: "Container",
      default: { cpu: "200m", memory: "1Gi" },
      defaultRequest: { cpu: "100m", memory: "1Gi" },
      max: { cpu: "1" },
      min: { cpu: "50m" },
      maxLimitRequestRatio: { cpu: "3" },
    },
    { type: "Pod", max: { cpu: "2", memory: "2Gi" } },
    { type: "PersistentVolumeClaim", max: { storage: "5Gi" }, min: { storage: "1Gi" } },
  ];
  beforeEach(() =>
    store.write(keyOf("limitranges.", "a", "l"), ACTOR, () => ({
      op: "put",
      object: object("l", { spec: { limits } }),
    })),
  );

  it("fills in what containers leave out, and says so", async () => {
    const stored = (await write("pods", pod("p", { name: "a" })))?.object;
    expect(stored?.["spec"]).toEqual({
      containers: [container("a", { cpu: "100m", memory: "1Gi" }, { cpu: "200m", memory: "1Gi" })],
    });
    expect(stored?.metadata.annotations).toEqual({
      "kubernetes.io/limit-ranger":
        "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a",
    });
  });

  it("refuses in upstream's words", async () => {
    expect(await says(write("pods", pod("p2", container("a", { cpu: "10m" }, { cpu: "2" }))))).toBe(
      'pods "p2" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum cpu usage per Container is 1, but limit is 2, cpu max limit to request ratio per Container is 3, but provided ratio is 200.000000]',
    );
    const one = { cpu: "1" };
    expect(
      await says(
        write(
          "pods",
          pod("p3", container("a", one, one), container("b", one, { ...one, memory: "3Gi" }), container("c", one, one)),
        ),
      ),
    ).toBe(
      'pods "p3" is forbidden: [maximum cpu usage per Pod is 2, but limit is 3, maximum memory usage per Pod is 2Gi, but limit is 5Gi]',
    );
    const small = { resources: { limits: { cpu: "1", memory: "2Gi" } } };
    const spec = { ...small, containers: [container("a", one, { ...one, memory: "3Gi" })] };
    expect(await says(write("pods", object("p4", { spec })))).toBe("ok");
    const claim = (storage: string) =>
      says(write("persistentvolumeclaims", object("c", { spec: { resources: { requests: { storage } } } })));
    expect(await claim("10Gi")).toBe(
      'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi',
    );
    expect(await claim("1Mi")).toBe(
      'persistentvolumeclaims "c" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi',
    );
    expect(await claim("2Gi")).toBe("ok");
  });
});

describe("ResourceQuota", () => {
  const quota = (name: string, hard: object, more: object = {}) =>
    store.write(keyOf("resourcequotas.", "a", name), ACTOR, () => ({
      op: "put",
      object: object(name, { spec: { hard, ...more } }),
    }));

  it("holds for compute, counts, ports and storage, in upstream's words", async () => {
    await quota("qa", {
      pods: "1",
      "requests.cpu": "1",
      "limits.memory": "1Gi",
      configmaps: "1",
      "count/secrets": "1",
      "services.nodeports": "0",
      "requests.storage": "1Gi",
    });
    await quota("qb", { pods: "1", "count/deployments.apps": "0" });
    expect(await says(write("pods", pod("p1", { name: "a" }, container("b", {}, { memory: "1Gi" }))))).toBe(
      'pods "p1" is forbidden: failed quota: qa: must specify limits.memory for: a; requests.cpu for: a,b',
    );
    expect(await says(write("pods", pod("p2", container("a", { cpu: "2" }, { memory: "2Gi" }))))).toBe(
      'pods "p2" is forbidden: exceeded quota: qa, requested: limits.memory=2Gi,requests.cpu=2, used: limits.memory=0,requests.cpu=0, limited: limits.memory=1Gi,requests.cpu=1',
    );
    expect(await says(write("pods", pod("p3", container("a", { cpu: "500m" }, { memory: "500Mi" }))))).toBe("ok");
    expect(await says(write("pods", pod("p4", container("a", { cpu: "600m" }, { memory: "500Mi" }))))).toBe(
      'pods "p4" is forbidden: exceeded quota: qa, requested: pods=1,requests.cpu=600m, used: pods=1,requests.cpu=500m, limited: pods=1,requests.cpu=1',
    );
    expect(await says(write("services", object("s", { spec: { type: "NodePort", ports: [{ port: 80 }] } })))).toBe(
      'services "s" is forbidden: exceeded quota: qa, requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0',
    );
    expect(await says(write("deployments", object("d"), "apps"))).toBe(
      'deployments.apps "d" is forbidden: exceeded quota: qb, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0',
    );
    expect(
      await says(
        write("persistentvolumeclaims", object("c", { spec: { resources: { requests: { storage: "2Gi" } } } })),
      ),
    ).toBe(
      'persistentvolumeclaims "c" is forbidden: exceeded quota: qa, requested: requests.storage=2Gi, used: requests.storage=0, limited: requests.storage=1Gi',
    );
    expect(await says(write("secrets", object("s1")))).toBe("ok");
    expect(await says(write("secrets", object("s2")))).toBe(
      'secrets "s2" is forbidden: exceeded quota: qa, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1',
    );
  });

  it("lets no burst past, and counts what leaves", async () => {
    await quota("q", { configmaps: "3" });
    const burst = await Promise.all(Array.from({ length: 10 }, (_, n) => says(write("configmaps", object(`c${n}`)))));
    expect(burst.filter((text) => text === "ok")).toHaveLength(3);
    const gone = store.write(keyOf("configmaps.", "a", "c0"), ACTOR, () => ({ op: "delete" }));
    expect(await says(write("configmaps", object("again")))).toBe("ok");
    await gone;
    expect(await says(write("configmaps", object("again", { data: { x: "y" } })))).toBe("ok");
  });

  it("counts pods by scope, and forgets those that have ended", async () => {
    await quota("be", { pods: "1" }, { scopes: ["BestEffort"] });
    await quota(
      "high",
      { pods: "0" },
      {
        scopeSelector: {
          matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
        },
      },
    );
    expect(await says(write("pods", pod("p1", { name: "a" })))).toBe("ok");
    expect(await says(write("pods", pod("p2", { name: "a" })))).toContain("exceeded quota: be");
    expect(await says(write("pods", pod("p3", container("a", { cpu: "1" }))))).toBe("ok");
    expect(
      await says(
        write(
          "pods",
          object("p4", { spec: { priorityClassName: "high", containers: [container("a", { cpu: "1" })] } }),
        ),
      ),
    ).toContain("exceeded quota: high");
    await write("pods", object("p1", { spec: { containers: [{ name: "a" }] }, status: { phase: "Succeeded" } }));
    expect(await says(write("pods", pod("p5", { name: "a" })))).toBe("ok");
  });

  it("takes what a pod states for itself, with what running it costs", async () => {
    await quota("q", { "requests.cpu": "3", "limits.memory": "1Gi" });
    const spec = {
      overhead: { cpu: "500m", memory: "24Mi" },
      resources: { requests: { cpu: "1500m" }, limits: { memory: "1000Mi" } },
      containers: [container("a", { cpu: "1" }, { memory: "8Gi" })],
    };
    expect(await says(write("pods", object("p1", { spec })))).toBe("ok");
    expect(await says(write("pods", pod("p2", container("a", { cpu: "2" }, { memory: "1Mi" }))))).toContain(
      "used: limits.memory=1Gi,requests.cpu=2, limited: limits.memory=1Gi,requests.cpu=3",
    );
  });

  it("takes the largest init container, and sidecars beside everything", async () => {
    await quota("q", { "requests.cpu": "3" });
    const spec = {
      initContainers: [
        { ...container("side", { cpu: "1" }), restartPolicy: "Always" },
        container("init", { cpu: "2" }),
      ],
      containers: [container("a", { cpu: "1" })],
    };
    expect(await says(write("pods", object("p1", { spec })))).toBe("ok");
    expect(await says(write("pods", pod("p2", container("a", { cpu: "1m" }))))).toContain(
      "used: requests.cpu=3, limited: requests.cpu=3",
    );
  });
});
