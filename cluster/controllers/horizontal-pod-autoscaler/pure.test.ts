import fc from "fast-check";
import { expect, test } from "vitest";
import type { HorizontalPodAutoscaler, Pod, PodMetrics } from "@travelops/kube";
import { formatTime } from "@travelops/kube";
import { evaluateMetrics } from "./metric.ts";
import { durationMs, podRequests, podValues, type PodValue } from "./pod-values.ts";
import { type CountInput, replicaCount } from "./replica-count.ts";
import { limitReplicas, NO_HISTORY, remember, type ScalingHistory } from "./scaling-rules.ts";

const NOW = Date.UTC(2026, 0, 1);
type Health = "ready" | "unready" | "pending";

function pod(name: string, health: Health = "ready", cpu: string | null = "1"): Pod {
  const long = formatTime(NOW - 3_600_000);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "n" },
    spec: { containers: [{ name: "main", ...(cpu === null ? {} : { resources: { requests: { cpu } } }) }] },
    status: {
      phase: health === "pending" ? "Pending" : "Running",
      startTime: long,
      conditions: [{ type: "Ready", status: health === "ready" ? "True" : "False", lastTransitionTime: long }],
    },
  };
}
const value = (milli: number): PodValue => ({ milli, at: NOW, windowMs: 15_000 });

/** `use`: percent of the request of 1 CPU by pod; undefined where there is no metric. */
function counted(
  use: (number | undefined)[],
  target: number,
  more: Partial<CountInput> = {},
  health: Health[] = [],
): number {
  const pods = use.map((_, i) => pod(`p${i}`, health[i] ?? "ready"));
  const values = new Map(use.flatMap((one, i) => (one === undefined ? [] : [[`p${i}`, value(one * 10)] as const])));
  const requests = () => podRequests(pods, { name: "cpu" });
  return replicaCount({
    pods,
    values,
    target: { kind: "utilization", percent: target, requests },
    isCpu: true,
    current: use.length,
    tolerance: { up: 0.1, down: 0.1 },
    now: NOW,
    ...more,
  }).replicas;
}

test.each<[string, (number | undefined)[], number, number, Health[]?]>([
  ["twice the target doubles", [100, 100], 50, 4],
  ["half the target halves", [25, 25, 25, 25], 50, 2],
  ["within the tolerance nothing happens", [54, 54], 50, 2],
  ["the tolerance is inclusive", [55, 55], 50, 2],
  ["just above it counts", [56, 56], 50, 3],
  ["a pod without metrics counts as idle going up", [100, undefined], 50, 2],
  ["and as fully used going down", [10, 10, undefined], 50, 3],
  ["an unready pod counts as idle going up", [150, 0], 50, 3, ["ready", "unready"]],
  ["an unready pod says nothing going down", [20, 0], 50, 1, ["ready", "unready"]],
  ["a pending pod is no reason for more", [100, undefined], 50, 2, ["ready", "pending"]],
])("%s", (_what, use, target, wanted, health) => {
  expect(counted(use, target, {}, health)).toBe(wanted);
});

test("nothing to go by is said", () => {
  expect(() => counted([], 50)).toThrow("no pods returned by selector while calculating replica count");
  expect(() => counted([undefined], 50)).toThrow("did not receive metrics for targeted pods (pods might be unready)");
  expect(() => podRequests([pod("p", "ready", null)], { name: "cpu" })).toThrow(
    "missing request for cpu in container main of Pod p",
  );
});

test("more use never asks for fewer replicas", () => {
  const uses = fc.array(fc.nat(300), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(uses, fc.integer({ min: 10, max: 100 }), fc.nat(100), (use, target, more) => {
      const higher = use.map((one) => one + more);
      expect(counted(higher, target)).toBeGreaterThanOrEqual(counted(use, target));
    }),
  );
});

const metrics = (name: string, cpu: string, memory: string): PodMetrics => ({
  apiVersion: "metrics.k8s.io/v1beta1",
  kind: "PodMetrics",
  metadata: { name, namespace: "n" },
  timestamp: formatTime(NOW),
  window: "1m30s",
  containers: [
    { name: "main", usage: { cpu, memory } },
    { name: "side", usage: { cpu: "100m", memory: "1Mi" } },
  ],
});

test("values are summed over containers, or taken of one", () => {
  expect(podValues([metrics("p", "250m", "64Mi")], { name: "cpu" }).get("p")).toEqual({
    ...value(350),
    windowMs: 90_000,
  });
  expect(podValues([metrics("p", "250m", "64Mi")], { name: "cpu", container: "main" }).get("p")?.milli).toBe(250);
  expect(podValues([metrics("p", "1", "1")], { name: "cpu", container: "x" }).size).toBe(0);
  expect(() => podRequests([pod("p")], { name: "cpu", container: "x" })).toThrow("container x not found in Pod p");
  expect(durationMs("15.5s")).toBe(15_500);
});

test("the metric that asks for most decides; one that says nothing forbids going down", () => {
  const resource = (name: string, averageValue: string) => ({
    type: "Resource",
    resource: { name, target: { averageValue } },
  });
  const input = { pods: [pod("p"), pod("q")], current: 2, tolerance: { up: 0.1, down: 0.1 }, now: NOW };
  const both = [metrics("p", "900m", "63Mi"), metrics("q", "900m", "63Mi")];
  const up = evaluateMetrics([resource("memory", "64Mi"), resource("cpu", "500m")], { ...input, metrics: both });
  expect(up).toMatchObject({ ok: true, proposal: { replicas: 4, name: "cpu resource" } });
  expect(up.ok && up.proposal.statuses[0]).toEqual({
    type: "Resource",
    resource: { name: "memory", current: { averageValue: "64Mi" } },
  });
  const down = evaluateMetrics([resource("cpu", "4"), resource("gpu", "1")], { ...input, metrics: both });
  expect(down).toMatchObject({
    ok: false,
    message: expect.stringMatching(
      /^invalid metrics \(1 invalid out of 2\), first error is: failed to get gpu resource metric value: /,
    ) as string,
  });
  const none = evaluateMetrics([resource("cpu", "4")], { ...input, metrics: [] });
  expect(none.failures[0]).toMatchObject({
    reason: "FailedGetResourceMetric",
    message:
      "failed to get cpu usage: unable to get metrics for resource cpu: no metrics returned from resource metrics API",
  });
});

type Spec = HorizontalPodAutoscaler["spec"];
const spec = (more: Partial<Spec> = {}): Spec => ({
  scaleTargetRef: { kind: "X", name: "x" },
  maxReplicas: 20,
  ...more,
});
const limit = (current: number, desired: number, more: Partial<Spec> = {}, history: ScalingHistory = NO_HISTORY) =>
  limitReplicas({ spec: spec(more), current, desired, history, now: NOW });

test.each<[string, number, number, Partial<Spec>, number, string]>([
  ["up to twice as many at once", 3, 20, {}, 6, "ScaleUpLimit"],
  ["or to four", 1, 20, {}, 4, "ScaleUpLimit"],
  ["not beyond the most", 15, 25, {}, 20, "TooManyReplicas"],
  ["not below the least", 5, 0, { minReplicas: 2 }, 2, "TooFewReplicas"],
  ["as it is", 5, 6, {}, 6, "DesiredWithinRange"],
  [
    "by policy",
    10,
    1,
    {
      behavior: {
        scaleDown: {
          selectPolicy: "Min",
          policies: [
            { type: "Percent", value: 50, periodSeconds: 60 },
            { type: "Pods", value: 2, periodSeconds: 60 },
          ],
        },
      },
    },
    8,
    "ScaleDownLimit",
  ],
  ["not at all", 10, 1, { behavior: { scaleDown: { selectPolicy: "Disabled" } } }, 10, "ScaleDownLimit"],
])("limits: %s", (_what, current, desired, more, replicas, reason) => {
  const result = limit(current, desired, more);
  expect(result.replicas).toBe(replicas);
  expect(result.scalingLimited).toMatchObject({ reason, status: reason === "DesiredWithinRange" ? "False" : "True" });
});

test("a policy's period counts what was done in it", () => {
  const behavior = { scaleUp: { policies: [{ type: "Pods", value: 4, periodSeconds: 60 }] } };
  const before = remember(NO_HISTORY, 2, 5, NOW - 30_000);
  expect(limit(5, 20, { behavior }, before).replicas).toBe(6);
  expect(limit(5, 20, { behavior }, remember(NO_HISTORY, 2, 5, NOW - 60_000)).replicas).toBe(9);
});

test("it goes down only to the most that was asked for in the window", () => {
  const history = {
    ...NO_HISTORY,
    recommendations: [
      { at: NOW - 200_000, replicas: 7 },
      { at: NOW - 400_000, replicas: 9 },
    ],
  };
  const result = limit(10, 3, {}, history);
  expect(result.replicas).toBe(7);
  expect(result.ableToScale.reason).toBe("ScaleDownStabilized");
  const up = {
    behavior: {
      scaleUp: { stabilizationWindowSeconds: 300, policies: [{ type: "Pods", value: 50, periodSeconds: 15 }] },
    },
  };
  expect(limit(5, 12, up, history).replicas).toBe(7);
});

test("whatever is asked for, the outcome lies between the least and the most", () => {
  const count = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(
      count,
      fc.nat(100),
      fc.array(fc.record({ at: fc.integer({ min: NOW - 600_000, max: NOW }), replicas: fc.nat(100) })),
      (current, desired, recommendations) => {
        const { replicas, history } = limit(current, desired, { minReplicas: 1 }, { ...NO_HISTORY, recommendations });
        expect(replicas).toBeGreaterThanOrEqual(1);
        expect(replicas).toBeLessThanOrEqual(20);
        expect(history.recommendations.every(({ at }) => at >= NOW - 300_000)).toBe(true);
      },
    ),
  );
});

const asked = (...replicas: number[]): ScalingHistory => ({
  ...NO_HISTORY,
  recommendations: replicas.map((one) => ({ at: NOW - 10_000, replicas: one })),
});

test("a window holds it where it is, and never turns it round", () => {
  const behavior = { scaleUp: { stabilizationWindowSeconds: 60 }, scaleDown: { stabilizationWindowSeconds: 60 } };
  // Fewer were asked for a moment ago: not up, but not down either.
  expect(limit(5, 8, { behavior }, asked(3))).toMatchObject({
    replicas: 5,
    ableToScale: { reason: "ScaleUpStabilized" },
  });
  expect(limit(5, 2, { behavior }, asked(9))).toMatchObject({
    replicas: 5,
    ableToScale: { reason: "ScaleDownStabilized" },
  });
});

test("without rules of its own it goes up to the most that was asked for lately", () => {
  expect(limit(5, 5, {}, asked(8))).toMatchObject({ replicas: 8, ableToScale: { reason: "ScaleDownStabilized" } });
});

test("a policy's period counts what went both ways", () => {
  const behavior = {
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: "Pods", value: 1, periodSeconds: 60 }] },
  };
  expect(limit(5, 1, { behavior }, remember(NO_HISTORY, 2, 5, NOW - 30_000)).replicas).toBe(1);
});
