import fc from "fast-check";
import { expect, test } from "vitest";
import type { Node, Pod } from "@travelops/kube";
import { decide, type Decision } from "./decide.ts";
import { NodeInfo } from "./node-info.ts";
import { podRequests } from "./resources.ts";
import { node, pod } from "./testing/objects.ts";

function choose(incoming: Pod, nodes: [Node, ...Pod[]][], more: { pv?: object } = {}): Decision {
  return decide(incoming, {
    nodes: nodes.map(([one, ...pods]) => new NodeInfo(one, pods)),
    volumes: {
      volumes: () => [],
      storageClass: () => undefined,
      claim: (_namespace, name) =>
        name === "data"
          ? {
              apiVersion: "v1",
              kind: "PersistentVolumeClaim",
              metadata: { name },
              spec: { volumeName: "pv" },
              status: { phase: "Bound" },
            }
          : undefined,
      volume: () => ({
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "pv" },
        spec: { ...more.pv },
      }),
    },
    namespaceLabels: () => ({}),
    random: () => 0,
  });
}

const near = (key: string, kind: "podAffinity" | "podAntiAffinity") => ({
  affinity: {
    [kind]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: key, labelSelector: { matchLabels: { app: "a" } } },
      ],
    },
  },
});
const HOST = "kubernetes.io/hostname";

test.each<[string, Pod, [Node, ...Pod[]][], string]>([
  [
    "resources",
    pod("p", { requests: { cpu: "3" } }),
    [[node("a"), pod("x", { requests: { cpu: "2" } })], [node("b")]],
    "b",
  ],
  [
    "init containers count at their most",
    pod("p", { initContainers: [{ name: "i", resources: { requests: { cpu: "3" } } }] }),
    [[node("a", { cpu: "2" })], [node("b")]],
    "b",
  ],
  [
    "node selector",
    pod("p", { nodeSelector: { disk: "ssd" } }),
    [[node("a")], [node("b", { labels: { disk: "ssd" } })]],
    "b",
  ],
  [
    "node affinity",
    pod("p", {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["b"] }] }],
          },
        },
      },
    }),
    [[node("a")], [node("b")]],
    "b",
  ],
  ["taints", pod("p"), [[node("a", { taints: [{ key: "k", effect: "NoSchedule" }] })], [node("b")]], "b"],
  ["cordon", pod("p"), [[node("a", { unschedulable: true })], [node("b")]], "b"],
  ["pod affinity", pod("p", near(HOST, "podAffinity")), [[node("a")], [node("b"), pod("x", {}, { app: "a" })]], "b"],
  ["the first of its own group may go anywhere", pod("p", near(HOST, "podAffinity"), { app: "a" }), [[node("a")]], "a"],
  [
    "pod anti-affinity",
    pod("p", near(HOST, "podAntiAffinity")),
    [[node("a"), pod("x", {}, { app: "a" })], [node("b")]],
    "b",
  ],
  [
    "existing anti-affinity",
    pod("p", {}, { app: "a" }),
    [[node("a"), pod("x", near(HOST, "podAntiAffinity"))], [node("b")]],
    "b",
  ],
  [
    "host ports",
    pod("p", { containers: [{ name: "m", ports: [{ containerPort: 80, hostPort: 80 }] }] }),
    [[node("a"), pod("x", { containers: [{ name: "m", ports: [{ containerPort: 1, hostPort: 80 }] }] })], [node("b")]],
    "b",
  ],
  [
    "spread",
    pod(
      "p",
      {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: HOST,
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: { app: "a" } },
          },
        ],
      },
      { app: "a" },
    ),
    [[node("a"), pod("x", {}, { app: "a" })], [node("b")]],
    "b",
  ],
  [
    "prefers free nodes",
    pod("p"),
    [[node("a"), pod("x", { requests: { cpu: "2", memory: "4Gi" } })], [node("b")]],
    "b",
  ],
  [
    "prefers nodes without a soft taint",
    pod("p"),
    [[node("a", { taints: [{ key: "k", effect: "PreferNoSchedule" }] })], [node("b")]],
    "b",
  ],
])("%s", (_what, incoming, nodes, expected) => {
  expect(choose(incoming, nodes)).toEqual({ kind: "node", name: expected });
});

test("volumes keep a pod where they are", () => {
  const pv = {
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: HOST, operator: "In", values: ["b"] }] }] },
    },
  };
  const incoming = pod("p", { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] });
  expect(choose(incoming, [[node("a")], [node("b")]], { pv })).toEqual({ kind: "node", name: "b" });
  const without = pod("p", { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "none" } }] });
  expect(choose(without, [[node("a")]])).toMatchObject({
    message: '0/1 nodes are available: persistentvolumeclaim "none" not found. not found',
  });
});

test.each<[Pod, [Node, ...Pod[]][], string]>([
  [
    pod("p", { requests: { cpu: "3" } }),
    [
      [node("a"), pod("x", { requests: { cpu: "2" } })],
      [node("b"), pod("y", { requests: { cpu: "2" } })],
    ],
    "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
  ],
  [
    pod("p", { requests: { cpu: "9", memory: "100Gi" } }),
    [
      [node("a")],
      [node("b", { unschedulable: true })],
      [node("c", { taints: [{ key: "k", value: "v", effect: "NoExecute" }] })],
    ],
    "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
  ],
  [pod("p"), [], "no nodes available to schedule pods"],
])("says why nothing fits", (incoming, nodes, message) => {
  expect(choose(incoming, nodes)).toMatchObject({ kind: "none", message });
});

test("a more important pod takes the place of the fewest and least important", () => {
  const low = pod("low", { requests: { cpu: "3" }, priority: 1 });
  const mid = pod("mid", { requests: { cpu: "3" }, priority: 5 });
  const incoming = pod("p", { requests: { cpu: "3" }, priority: 10 });
  const small = pod("small", { requests: { cpu: "1" }, priority: 0 });
  expect(
    choose(incoming, [
      [node("a"), mid],
      [node("b"), low, small],
    ]),
  ).toMatchObject({ preemption: { node: "b", victims: [low] } });
  expect(
    choose({ ...incoming, spec: { ...incoming.spec, preemptionPolicy: "Never" } }, [[node("b"), low]]),
  ).not.toHaveProperty("preemption.node");
});

test("what is placed always fits, and a pod is left out only when it fits nowhere", () => {
  const cpu = fc.integer({ min: 0, max: 5 });
  fc.assert(
    fc.property(
      fc.array(cpu, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
      (pods, sizes) => {
        const nodes = sizes.map((size, i) => new NodeInfo(node(`n${i}`, { cpu: String(size) })));
        pods.forEach((want, i) => {
          const incoming = pod(`p${i}`, { requests: { cpu: String(want) } });
          const decision = decide(incoming, {
            nodes,
            volumes: {
              claim: () => undefined,
              volume: () => undefined,
              volumes: () => [],
              storageClass: () => undefined,
            },
            namespaceLabels: () => ({}),
            random: () => 0.5,
          });
          const fits = nodes.filter((info) => info.requested("cpu") + want * 1000 <= info.allocatable("cpu"));
          expect(decision.kind === "node").toBe(fits.length > 0);
          nodes.find((info) => decision.kind === "node" && info.name === decision.name)?.add(incoming);
        });
        for (const info of nodes) expect(info.requested("cpu")).toBeLessThanOrEqual(info.allocatable("cpu"));
      },
    ),
  );
});

test("requests: sidecars add up, init containers peak, the pod's own statement wins, overhead comes on top", () => {
  const requests = (cpu: string) => ({ resources: { requests: { cpu } } });
  const base = pod("p", {
    containers: [{ name: "a", ...requests("1") }],
    initContainers: [
      { name: "s", restartPolicy: "Always", ...requests("500m") },
      { name: "i", ...requests("2") },
    ],
    overhead: { cpu: "100m" },
  });
  expect(podRequests(base).get("cpu")).toBe(2600);
  expect(podRequests(pod("q", { ...base.spec, resources: { requests: { cpu: "1" } } })).get("cpu")).toBe(1100);
});

test("a pod that is resized counts with the more of what it has and asks for, or what it has if it asks for too much", () => {
  const containers = [{ name: "c", resources: { requests: { cpu: "4" } } }];
  const sized = (allocated: string, reason?: string): number | undefined =>
    podRequests({
      ...pod("resized", { containers }),
      status: {
        containerStatuses: [{ name: "c", allocatedResources: { cpu: allocated } }],
        conditions: reason === undefined ? [] : [{ type: "PodResizePending", status: "True", reason }],
      } as unknown as Pod["status"],
    }).get("cpu");
  expect(sized("1")).toBe(4000);
  expect(sized("6")).toBe(6000);
  expect(sized("1", "Deferred")).toBe(4000);
  expect(sized("1", "Infeasible")).toBe(1000);
});
