import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import { aggregateHealth, healthOf } from "./health.ts";

const object = (
  apiVersion: string,
  kind: string,
  spec: object,
  status: object,
  metadata: object = { name: "x", generation: 1 },
): KubeObject => ({ apiVersion, kind, metadata, spec, status });
const deployment = (spec: object, status: object): KubeObject =>
  object("apps/v1", "Deployment", { replicas: 2, ...spec }, { observedGeneration: 1, ...status });
const pod = (status: object, restartPolicy = "Always"): KubeObject => object("v1", "Pod", { restartPolicy }, status);

describe("health", () => {
  it.each([
    ["a finished rollout", deployment({}, { replicas: 2, updatedReplicas: 2, availableReplicas: 2 }), "Healthy"],
    ["an unobserved change", deployment({}, { observedGeneration: 0 }), "Progressing"],
    ["replicas to come", deployment({}, { updatedReplicas: 1 }), "Progressing"],
    ["old replicas to go", deployment({}, { replicas: 3, updatedReplicas: 2, availableReplicas: 2 }), "Progressing"],
    ["a pause", deployment({ paused: true }, {}), "Suspended"],
    [
      "a missed deadline",
      deployment({}, { conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }] }),
      "Degraded",
    ],
    [
      "a running pod that is ready",
      pod({ phase: "Running", conditions: [{ type: "Ready", status: "True" }] }),
      "Healthy",
    ],
    [
      "a crash loop",
      pod({
        phase: "Running",
        containerStatuses: [{ name: "a", state: { waiting: { reason: "CrashLoopBackOff" } } }],
      }),
      "Degraded",
    ],
    [
      "an image that cannot be had",
      pod({
        phase: "Pending",
        containerStatuses: [{ name: "a", state: { waiting: { reason: "ErrImagePull" } } }],
      }),
      "Degraded",
    ],
    ["a job's running pod", pod({ phase: "Running" }, "Never"), "Progressing"],
    [
      "a complete job",
      object("batch/v1", "Job", {}, { conditions: [{ type: "Complete", status: "True" }] }),
      "Healthy",
    ],
    [
      "a failed job",
      object("batch/v1", "Job", {}, { conditions: [{ type: "Failed", status: "True", message: "no" }] }),
      "Degraded",
    ],
    ["a load balancer without an address", object("v1", "Service", { type: "LoadBalancer" }, {}), "Progressing"],
    ["a plain service", object("v1", "Service", { type: "ClusterIP" }, {}), "Healthy"],
    ["a pending claim", object("v1", "PersistentVolumeClaim", {}, { phase: "Pending" }), "Healthy"],
    [
      "a child application out of sync",
      object(
        "argoproj.io/v1alpha1",
        "Application",
        {},
        { health: { status: "Healthy" }, sync: { status: "OutOfSync" } },
      ),
      "Progressing",
    ],
    [
      "anything being deleted",
      object("v1", "ConfigMap", {}, {}, { name: "x", deletionTimestamp: "2026-01-01T00:00:00Z" }),
      "Progressing",
    ],
  ])("of %s is told", (_name, live, status) => {
    expect(healthOf(live)?.status).toBe(status);
  });

  it("is not told of kinds without a rule", () => {
    expect(healthOf(object("v1", "ConfigMap", {}, {}))).toBeUndefined();
  });

  it("of many is the worst, and Missing only when nothing is there", () => {
    const live = (status: "Healthy" | "Degraded" | "Progressing") => ({
      live: true,
      health: { status },
      ignored: false,
    });
    const missing = { live: false, health: { status: "Missing" as const }, ignored: false };
    expect(aggregateHealth([live("Healthy"), live("Degraded"), live("Progressing")])).toBe("Degraded");
    expect(aggregateHealth([live("Healthy"), missing])).toBe("Healthy");
    expect(aggregateHealth([missing, missing])).toBe("Missing");
    expect(aggregateHealth([])).toBe("Healthy");
    expect(aggregateHealth([{ ...live("Degraded"), ignored: true }])).toBe("Healthy");
  });
});
