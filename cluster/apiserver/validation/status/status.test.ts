import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import type { Errors } from "../checks.ts";
import { checkStatus } from "./check-status.ts";

type Json = Readonly<Record<string, unknown>>;

/** Faults of a status, as kube-apiserver 1.35 answered them to the same writes. */
function faults(table: string, status: Json, before: Json = {}, spec: Json = {}): string[] {
  const object = (of: Json): KubeObject =>
    ({ apiVersion: "v1", kind: "X", metadata: { name: "x" }, spec, status: of }) as KubeObject;
  const errors: Errors = [];
  checkStatus(table, object(status), object(before), errors);
  return errors.map(({ field, message }) => `${field}: ${message}`);
}

const yes = (...types: string[]): Json => ({ conditions: types.map((type) => ({ type, status: "True" })) });

describe("statuses", () => {
  it.each([
    [
      "deployments.apps",
      { unavailableReplicas: -1 },
      "status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0",
    ],
    [
      "deployments.apps",
      { replicas: 1, updatedReplicas: 2 },
      "status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ],
    [
      "statefulsets.apps",
      { replicas: 2, readyReplicas: 1, availableReplicas: 2 },
      "status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas",
    ],
    [
      "services.",
      { loadBalancer: { ingress: [{ ip: "1.2.3.4", ipMode: "VIP" }] } },
      "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
    ],
    [
      "ingresses.networking.k8s.io",
      { loadBalancer: { ingress: [{ hostname: "1.2.3.4" }] } },
      'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
    [
      "namespaces.",
      { phase: "Terminating" },
      "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty",
    ],
    [
      "poddisruptionbudgets.policy",
      { conditions: [{ type: "A", status: "True", lastTransitionTime: "2020-01-01T00:00:00Z" }] },
      "status.conditions[0].reason: Required value",
    ],
    [
      "flowschemas.flowcontrol.apiserver.k8s.io",
      { conditions: [{ type: "A" }, { type: "A" }] },
      'status.conditions[1].type: Duplicate value: "A"',
    ],
    [
      "persistentvolumeclaims.",
      { allocatedResourceStatuses: { storage: "Odd" } },
      'status.allocatedResourceStatuses: Unsupported value: "storage": supported values: "ControllerResizeInProgress", ' +
        '"ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
    ],
  ])("of %s: %j", (table, status, fault) => {
    expect(faults(table, status)).toEqual([fault]);
  });

  it("count collisions up only", () => {
    const fault = "status.collisionCount: Invalid value: 0: cannot be decremented";
    expect(faults("daemonsets.apps", {}, { collisionCount: 1 })).toEqual([fault]);
    expect(faults("daemonsets.apps", { collisionCount: 2 }, { collisionCount: 1 })).toEqual([]);
  });

  describe("of Jobs", () => {
    const end = { startTime: "2020-01-01T00:00:00Z", completionTime: "2020-01-01T00:01:00Z" };

    it.each<[Json, Json, string]>([
      [
        { ...yes("Complete"), ...end },
        {},
        "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
      ],
      [
        { ...yes("Failed"), startTime: end.startTime },
        {},
        "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
      ],
      [
        { ...yes("SuccessCriteriaMet", "Complete"), startTime: end.startTime },
        {},
        "status.completionTime: Required value: completionTime is required for Complete jobs",
      ],
      [
        { ...yes("SuccessCriteriaMet", "Complete"), ...end, active: 1 },
        {},
        "status.active: Invalid value: 1: active>0 is invalid for finished job",
      ],
      [
        {},
        yes("FailureTarget"),
        "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition",
      ],
      [{ failed: 1 }, { failed: 2 }, "status.failed: Invalid value: 1: cannot decrease the failed counter"],
      [{ ready: 2, active: 1 }, {}, "status.ready: Invalid value: 2: cannot set more ready pods than active"],
      [
        { completedIndexes: "0-2,2" },
        {},
        'status.completedIndexes: Invalid value: "0-2,2": error parsing completedIndexes: non-increasing order, previous: 2, current: 2',
      ],
      [
        { completedIndexes: "0-2", failedIndexes: "2" },
        {},
        'status.failedIndexes: Invalid value: "2": failedIndexes and completedIndexes overlap at index: 2',
      ],
    ])("%j after %j", (status, before, fault) => {
      const spec = { completions: 4, completionMode: "Indexed", backoffLimitPerIndex: 1 };
      expect(faults("jobs.batch", status, before, spec)).toEqual([fault]);
    });

    it("let what does not change be, whatever the spec says now", () => {
      const status = { completedIndexes: "0-9" };
      expect(faults("jobs.batch", status, status, { completions: 2, completionMode: "Indexed" })).toEqual([]);
    });
  });

  describe("of pods", () => {
    const ended = (exitCode: number): Json => ({
      containerStatuses: [{ name: "a", state: { terminated: { exitCode } } }],
    });
    const runs: Json = { containerStatuses: [{ name: "a", state: { running: {} } }] };
    const fault = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state";

    it.each<[string, number, Json, string[]]>([
      ["Always", 0, {}, []],
      ["OnFailure", 1, {}, []],
      ["OnFailure", 0, {}, [fault]],
      ["Never", 1, {}, [fault]],
      ["Never", 1, { restartPolicy: "Always" }, []],
      [
        "Never",
        3,
        {
          restartPolicy: "Never",
          restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [3] } }],
        },
        [],
      ],
    ])("restart policy %s, exit code %i, container %j", (restartPolicy, exitCode, container, expected) => {
      const spec = { restartPolicy, containers: [{ name: "a", ...container }] };
      expect(faults("pods.", runs, ended(exitCode), spec)).toEqual(expected);
    });

    it.each<[Json, string]>([
      [{ qosClass: "Guaranteed" }, 'status.qosClass: Invalid value: "Guaranteed": field is immutable'],
      [
        { podIPs: [{ ip: "x" }] },
        'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
      [
        { hostIP: "1.2.3.4", hostIPs: [{ ip: "1.2.3.5" }] },
        'status.hostIPs[0].ip: Invalid value: "1.2.3.5": must be equal to `hostIP`',
      ],
      [{ observedGeneration: -1 }, "status.observedGeneration: Invalid value: -1: must be a non-negative integer"],
    ])("%j", (status, expected) => {
      expect(faults("pods.", status)).toEqual([expected]);
    });
  });
});
