import { describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { builtinPrinter } from "./index.ts";
import { humanDuration } from "./printer.ts";

const NOW = Date.UTC(2026, 0, 2);
const made = (object: Record<string, unknown>): KubeObject =>
  ({
    apiVersion: "v1",
    kind: "X",
    metadata: { name: "x", creationTimestamp: "2026-01-01T23:55:00Z" },
    ...object,
  }) as KubeObject;

const row = (table: string, object: Record<string, unknown>): Record<string, unknown> => {
  const printer = builtinPrinter(table);
  const cells = printer.cells(made(object), NOW);
  expect(cells).toHaveLength(printer.columns.length);
  return Object.fromEntries(printer.columns.map((column, i) => [column.name, cells[i]]));
};

describe("humanDuration", () => {
  it.each([
    [0, "0s"],
    [119_000, "119s"],
    [150_000, "2m30s"],
    [600_000, "10m"],
    [10_799_000, "179m"],
    [18_120_000, "5h2m"],
    [172_800_000, "2d"],
    [273_600_000, "3d4h"],
    [864_000_000, "10d"],
    [63_331_200_000, "2y3d"],
    [-5000, "<invalid>"],
  ])("%d ms is %s", (ms, text) => expect(humanDuration(ms)).toBe(text));
});

describe("tables", () => {
  const container = { name: "c", image: "i" };

  it.each([
    ["nothing yet", { phase: "Pending" }, "0/1", "Pending", "0"],
    [
      "creating",
      { phase: "Pending", containerStatuses: [{ name: "c", state: { waiting: { reason: "ContainerCreating" } } }] },
      "0/1",
      "ContainerCreating",
      "0",
    ],
    [
      "running",
      { phase: "Running", containerStatuses: [{ name: "c", ready: true, state: { running: {} } }] },
      "1/1",
      "Running",
      "0",
    ],
    [
      "crashing",
      {
        phase: "Running",
        containerStatuses: [
          {
            name: "c",
            restartCount: 3,
            lastState: { terminated: { finishedAt: "2026-01-01T23:59:00Z" } },
            state: { waiting: { reason: "CrashLoopBackOff" } },
          },
        ],
      },
      "0/1",
      "CrashLoopBackOff",
      "3 (60s ago)",
    ],
    [
      "over",
      {
        phase: "Succeeded",
        containerStatuses: [{ name: "c", state: { terminated: { reason: "Completed", exitCode: 0 } } }],
      },
      "0/1",
      "Completed",
      "0",
    ],
    [
      "killed",
      { phase: "Failed", containerStatuses: [{ name: "c", state: { terminated: { signal: 9, exitCode: 137 } } }] },
      "0/1",
      "Signal:9",
      "0",
    ],
  ])("show a pod that is %s", (_what, status, ready, text, restarts) => {
    expect(row("pods.", { spec: { containers: [container] }, status })).toMatchObject({
      Ready: ready,
      Status: text,
      Restarts: restarts,
      Age: "5m",
      IP: "<none>",
    });
  });

  it("show a pod that initialises, and one that is deleted", () => {
    const spec = { initContainers: [{ name: "i" }, { name: "j" }], containers: [container] };
    expect(
      row("pods.", {
        spec,
        status: { phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] },
      }),
    ).toMatchObject({ Status: "Init:0/2" });
    const deleted = {
      metadata: { name: "x", deletionTimestamp: "2026-01-02T00:00:00Z" },
      spec,
      status: { phase: "Running" },
    };
    expect(row("pods.", deleted)).toMatchObject({ Status: "Terminating" });
  });

  it("show what people look at", () => {
    expect(
      row("services.", {
        spec: {
          type: "NodePort",
          clusterIP: "10.64.0.7",
          ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }],
          selector: { a: "b" },
        },
      }),
    ).toMatchObject({ Type: "NodePort", "Cluster-IP": "10.64.0.7", "Port(s)": "80:30080/TCP", Selector: "a=b" });
    expect(
      row("deployments.apps", {
        spec: { replicas: 2, selector: { matchLabels: { a: "b" } }, template: { spec: { containers: [container] } } },
        status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
      }),
    ).toMatchObject({ Ready: "1/2", "Up-to-date": 2, Available: 1, Containers: "c", Images: "i", Selector: "a=b" });
    expect(
      row("nodes.", {
        metadata: { name: "n", labels: { "node-role.kubernetes.io/control-plane": "" } },
        spec: { unschedulable: true },
        status: { conditions: [{ type: "Ready", status: "True" }], nodeInfo: { kubeletVersion: "v1.35.0" } },
      }),
    ).toMatchObject({ Status: "Ready,SchedulingDisabled", Roles: "control-plane", Version: "v1.35.0" });
    expect(
      row("jobs.batch", {
        spec: { completions: 2 },
        status: {
          succeeded: 2,
          startTime: "2026-01-01T23:59:00Z",
          completionTime: "2026-01-01T23:59:30Z",
          conditions: [{ type: "Complete", status: "True" }],
        },
      }),
    ).toMatchObject({ Status: "Complete", Completions: "2/2", Duration: "30s" });
    expect(
      row("events.", {
        involvedObject: { kind: "Pod", name: "p" },
        reason: "R",
        message: "m\n",
        count: 4,
        lastTimestamp: "2026-01-01T23:59:00Z",
        source: { component: "kubelet", host: "n" },
      }),
    ).toMatchObject({ "Last Seen": "60s", Object: "pod/p", Count: 4, Source: "kubelet, n", Message: "m" });
  });

  it("never fail, whatever an object lacks", () => {
    for (const table of [
      "pods.",
      "services.",
      "nodes.",
      "events.",
      "jobs.batch",
      "cronjobs.batch",
      "horizontalpodautoscalers.autoscaling",
      "ingresses.networking.k8s.io",
      "persistentvolumes.",
      "resourcequotas.",
      "controllerrevisions.apps",
    ])
      row(table, {});
  });
});
