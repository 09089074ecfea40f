import fc from "fast-check";
import { expect, test } from "vitest";
import type { Deployment, ReplicaSet } from "@travelops/kube";
import { deploymentOf } from "../testing/harness.ts";
import { newSize, rollingSteps, scalingSteps } from "./plan.ts";
import { maxSurge, maxUnavailable, sizeOf } from "./replica-sets.ts";

const set = (name: string, size: number, available: number, annotations: Record<string, string> = {}): ReplicaSet => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name, uid: name, creationTimestamp: "2026-01-01T00:00:00Z", annotations },
  spec: { replicas: size, selector: {} },
  status: { replicas: size, availableReplicas: available },
});

const rolling = (replicas: number, surge: number, unavailable: number): Deployment =>
  deploymentOf("ns", "d", {
    replicas,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
  });

test("a rolling update ends, whatever breaks meanwhile, and stays within its bounds at every step", () => {
  const bounds = fc.record({
    replicas: fc.integer({ min: 0, max: 12 }),
    surge: fc.integer({ min: 0, max: 4 }),
    unavailable: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(
      bounds,
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 20 }),
      ({ replicas, surge, unavailable }, luck) => {
        const deployment = rolling(replicas, surge, unavailable);
        const most = replicas + maxSurge(deployment);
        const least = replicas - maxUnavailable(deployment);
        let sets = [set("new", newSize(deployment, 0, replicas), 0), set("old", replicas, replicas)];
        for (let i = 0; i < 200; i++) {
          const [fresh, old] = sets as [ReplicaSet, ReplicaSet];
          const steps = rollingSteps(deployment, fresh, [old]);
          const sizes = new Map(steps.map((step) => [step.set, step.size]));
          // Pods that go are the broken ones first; those that come need their time.
          const ready = luck[i] ?? 3;
          sets = [fresh, old].map((one) => {
            const size = sizes.get(one) ?? sizeOf(one);
            const available = Math.min(one.status?.availableReplicas ?? 0, size);
            return set(one.metadata.name ?? "", size, one === fresh ? Math.min(size, available + ready) : available);
          });
          expect(sets.reduce((sum, one) => sum + sizeOf(one), 0)).toBeLessThanOrEqual(Math.max(most, replicas));
          expect(sets.reduce((sum, one) => sum + (one.status?.availableReplicas ?? 0), 0)).toBeGreaterThanOrEqual(
            least,
          );
        }
        expect(sets.map(sizeOf)).toEqual([replicas, 0]);
      },
    ),
  );
});

test("scaling in the middle of a rollout keeps the proportions and loses no pod to rounding", () => {
  const size = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(size, size, fc.integer({ min: 1, max: 40 }), (a, b, replicas) => {
      const deployment = rolling(replicas, 1, 0);
      const notes = {
        "deployment.kubernetes.io/max-replicas": String(a + b),
        "deployment.kubernetes.io/desired-replicas": String(a + b - 1),
      };
      const sets = [set("a", a, 0, notes), set("b", b, 0, notes)];
      const steps = scalingSteps(deployment, sets[0], sets.slice(1));
      const total = sets.reduce((sum, one) => sum + (steps.find((step) => step.set === one)?.size ?? sizeOf(one)), 0);
      expect(total).toBe(replicas + 1);
    }),
  );
});
