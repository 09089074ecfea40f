import { expect, test } from "vitest";
import type { Node, Pod, Taint, Toleration } from "@travelops/kube";
import { evictionIn, taintsAfter } from "./taints.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");
const at = "2026-01-01T00:08:00Z";

const node = (taints: Taint[], conditions: NonNullable<Node["status"]>["conditions"] = []): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n" },
  spec: { taints },
  status: { conditions },
});

const pod = (...tolerations: Toleration[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: { containers: [{ name: "c" }], tolerations },
});

const unreachable: Taint = { key: "node.kubernetes.io/unreachable", effect: "NoExecute", timeAdded: at };
const tolerate = (key: string, tolerationSeconds?: number): Toleration => ({
  key,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});

test("a pod leaves when its toleration has run out, at once without one, and never with one that has no end", () => {
  const left = (...tolerations: Toleration[]): number | undefined =>
    evictionIn(pod(...tolerations), node([unreachable]), NOW, NOW);
  expect(left(tolerate(unreachable.key, 300))).toBe(180_000);
  expect(left(tolerate(unreachable.key, 60))).toBe(0);
  expect(left()).toBe(0);
  expect(left(tolerate(unreachable.key))).toBeUndefined();
});

test("of several tolerations of a taint the first decides; of several taints the one that is tolerated least", () => {
  const both = node([unreachable, { key: "mine", effect: "NoExecute", timeAdded: at }]);
  const [long, short, mine] = [tolerate(unreachable.key, 600), tolerate(unreachable.key, 1), tolerate("mine", 240)];
  expect(evictionIn(pod(long, short), node([unreachable]), NOW, NOW)).toBe(480_000);
  expect(evictionIn(pod(long, mine), both, NOW, NOW)).toBe(120_000);
  expect(evictionIn(pod(long), both, NOW, NOW)).toBe(0);
});

test("taints follow the conditions in their order; what drives away comes last, and others' taints stay", () => {
  const conditions = [
    { type: "PIDPressure", status: "True" as const },
    { type: "Ready", status: "Unknown" as const },
    { type: "NetworkUnavailable", status: "True" as const },
  ];
  const taints = taintsAfter(node([{ key: "mine", effect: "NoSchedule" }], conditions), at);
  expect(taints?.map(({ key, effect }) => `${key} ${effect}`)).toEqual([
    "mine NoSchedule",
    "node.kubernetes.io/pid-pressure NoSchedule",
    "node.kubernetes.io/unreachable NoSchedule",
    "node.kubernetes.io/network-unavailable NoSchedule",
    "node.kubernetes.io/unreachable NoExecute",
  ]);
  expect(taintsAfter(node(taints ?? [], conditions), at)).toBeUndefined();
});
