import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { countStart, planPod, startableAt } from "./pod-plan.ts";
import { recordOf, type ContainerRecord, type PodRecord } from "./pod-record.ts";
import { podPhase, podStatus } from "./pod-status.ts";
import { statusPatch } from "./status-patch.ts";

type Policy = "Always" | "OnFailure" | "Never";

function pod(policy: Policy, init: readonly ("init" | "sidecar")[], mains: number): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", uid: "u" },
    spec: {
      restartPolicy: policy,
      initContainers: init.map((role, i) => ({
        name: `i${i}`,
        image: "x",
        ...(role === "sidecar" ? { restartPolicy: "Always" } : {}),
      })),
      containers: Array.from({ length: mains }, (_, i) => ({ name: `m${i}`, image: "x" })),
    },
  };
}

const shape = fc.record({
  policy: fc.constantFrom<Policy>("Always", "OnFailure", "Never"),
  init: fc.array(fc.constantFrom<"init" | "sidecar">("init", "sidecar"), { maxLength: 4 }),
  mains: fc.integer({ min: 1, max: 3 }),
});

const start = (record: ContainerRecord, now: number): void => {
  countStart(record);
  if (record.state.kind === "terminated") {
    record.last = record.state;
    record.restartCount++;
  }
  record.state = { kind: "running", startedAt: now, handle: undefined };
  record.started = record.role !== "init";
  record.ready = record.started;
};

const end = (record: ContainerRecord, exitCode: number, now: number): void => {
  if (record.state.kind !== "running") return;
  record.state = {
    kind: "terminated",
    exitCode,
    reason: exitCode === 0 ? "Completed" : "Error",
    startedAt: record.state.startedAt,
    finishedAt: now,
    containerID: undefined,
  };
  record.endedAt = now;
  record.started = false;
  record.ready = false;
};

describe("the plan of a pod", () => {
  test("whatever containers do, init comes before main, done stays done, and a pod that can end ends", () => {
    fc.assert(
      fc.property(
        shape,
        fc.array(fc.tuple(fc.nat(6), fc.constantFrom(0, 0, 1)), { maxLength: 30 }),
        ({ policy, init, mains }, exits) => {
          const object = pod(policy, init, mains);
          const record = recordOf(object, 0);
          let now = 0;
          const step = (): void => {
            const plan = planPod(object, record, now);
            for (const one of plan.start) {
              expect(one.state.kind).not.toBe("running");
              if (one.role === "main")
                expect(
                  record.init.every((i) =>
                    i.role === "sidecar" ? i.started : i.state.kind === "terminated" && i.state.exitCode === 0,
                  ),
                ).toBe(true);
              if (one.state.kind === "terminated" && one.role !== "sidecar")
                expect(
                  policy === "Always" ||
                    (policy === "OnFailure" && one.state.exitCode !== 0) ||
                    (one.role === "init" && policy !== "Never"),
                ).toBe(true);
              start(one, now);
            }
          };
          for (const [which, code] of exits) {
            step();
            const all = [...record.init, ...record.main];
            const one = all[which % all.length];
            if (one !== undefined) end(one, code, (now += 1000));
            now += 400_000;
          }
          // From here on everything succeeds.
          for (let i = 0; i < 20; i++) {
            step();
            for (const one of [...record.init, ...record.main]) if (one.role !== "sidecar") end(one, 0, (now += 1000));
            now += 400_000;
          }
          const phase = podPhase(object, record, false);
          if (policy === "Always") expect(phase).toBe("Running");
          else if (policy === "OnFailure") expect(phase).toBe("Succeeded");
          else expect(["Succeeded", "Failed"]).toContain(phase);
          expect(planPod(object, record, now).stopSidecars).toBe(
            policy !== "Always" &&
              (phase === "Succeeded" || record.main.every((one) => one.state.kind === "terminated")),
          );
        },
      ),
    );
  });

  test("restarts wait 0, 10, 20, 40 … 300 s, and anew after ten good minutes", () => {
    const record = recordOf(pod("Always", [], 1), 0).main[0] as ContainerRecord;
    const waits: number[] = [];
    let now = 1000;
    start(record, now);
    for (let i = 0; i < 8; i++) {
      now += 1000;
      end(record, 1, now);
      waits.push(Math.max(0, startableAt(record) - now) / 1000);
      now = Math.max(now, startableAt(record));
      start(record, now);
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    now += 600_000;
    end(record, 1, now);
    const whole = {
      init: [],
      main: [record],
      ephemeral: [],
      podIP: undefined,
      startTime: 0,
      sandboxReady: true,
      ended: undefined,
      startedAt: 0,
      pendingResize: undefined,
    };
    expect(planPod(pod("Always", [], 1), whole, now).start).toEqual([record]);
  });

  test("a status patch holds what changed, and clears what no longer holds", () => {
    const object = pod("Always", [], 1);
    const record: PodRecord = recordOf(object, 0);
    const options = { hostIP: "10.128.0.1", now: 5000, over: false };
    const first = podStatus(object, record, options);
    expect(statusPatch(undefined, first)).toMatchObject({ phase: "Pending" });
    expect(statusPatch(first, first)).toBeUndefined();
    start(record.main[0] as ContainerRecord, 6000);
    record.sandboxReady = true;
    const second = podStatus({ ...object, status: first }, record, { ...options, now: 7000 });
    const patch = statusPatch(first, second) as { conditions: Record<string, unknown>[]; phase: string };
    expect(patch.phase).toBe("Running");
    expect(patch.conditions.find((c) => c["type"] === "Ready")).toMatchObject({
      status: "True",
      reason: null,
      message: null,
    });
    expect(patch).not.toHaveProperty("qosClass");
  });
});
