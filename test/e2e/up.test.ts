/** What `up` leaves behind, and what `status` says of it. */
import { existsSync } from "node:fs";
import { afterAll, describe, expect, inject, test } from "vitest";
import { DEPLOYMENTS, PODS } from "@travelops/kube/client/resources";
import { patternIn } from "./pattern-under-test.ts";

const { dataDir, up } = inject("travelops");
const pattern = patternIn(dataDir);
afterAll(() => pattern.close());

describe("up", () => {
  test("ends with exit code 0, its steps with durations, and what to try next", () => {
    expect(up.code).toBe(0);
    expect(up.stdout).toBe("");
    for (const step of ["Cluster hub", "Components", "Git server", "Repository", "Applications"])
      expect(up.stderr).toMatch(new RegExp(`✓ ${step}.* \\(\\d+(\\.\\d+)? m?s\\)\n`));
    expect(up.stderr).toContain("Kubeconfig");
    expect(up.stderr).toContain("git clone -c credential.helper=");
    // A pipe is no terminal: no colours, no lines written over.
    expect(up.stderr).not.toMatch(/[\x1b\r]/);
  });

  test("every Application is Synced and Healthy at the same commit", async () => {
    const report = await pattern.settled();
    expect(report.applications.map((each) => each.name).toSorted()).toEqual([
      "pattern",
      "travel-agency",
      "travel-control",
      "travel-portal",
    ]);
    expect(new Set(report.applications.map((each) => each.revision)).size).toBe(1);
    expect(report.applications[0]?.revision).toMatch(/^[0-9a-f]{40}$/);
  });

  test("every Deployment has what it asks for", async () => {
    const { items } = await pattern.client.list(DEPLOYMENTS);
    expect(items.length).toBeGreaterThan(12);
    for (const each of items) expect(each.status?.readyReplicas, each.metadata.name).toBe(each.spec.replicas);
  });
});

describe("status", () => {
  test("-o json has the stated shape", async () => {
    const outcome = await pattern.travelops("status", "-o", "json");
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    const report = JSON.parse(outcome.stdout) as Record<string, unknown[]>;
    expect(report["sandbox"]).toMatch(/^(namespaces|bare)$/);
    expect(report["clusters"]).toEqual([
      expect.objectContaining({
        name: "hub",
        state: "running",
        apiServer: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
        kubeconfig: expect.stringContaining(dataDir),
      }),
    ]);
    for (const row of report["applications"] ?? [])
      expect(row).toEqual({
        cluster: "hub",
        name: expect.any(String),
        namespace: "openshift-gitops",
        sync: "Synced",
        health: "Healthy",
        revision: expect.stringMatching(/^[0-9a-f]{40}$/),
        message: "",
      });
    expect(report["urls"]).toContainEqual(
      expect.objectContaining({
        name: "control",
        url: expect.stringMatching(/^http:\/\/control-travel-control\.apps\.hub\.travelops\.localhost:\d+$/),
        local: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      }),
    );
  });

  test("counts pods as kubectl does", async () => {
    const { pods } = await pattern.status();
    const { items } = await pattern.client.list(PODS);
    const living = items.filter((pod) => pod.status?.phase !== "Succeeded");
    expect(pods).toEqual([{ cluster: "hub", running: living.length, ready: living.length, total: living.length }]);
  });

  test("as text is a table for people", async () => {
    const { code, stdout } = await pattern.travelops("status");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CLUSTER +STATE +PODS READY +SANDBOX +API SERVER\nhub +running +\d+\/\d+/);
    expect(stdout).toMatch(/\ntravel-agency +Synced +Healthy +[0-9a-f]{8}/);
  });
});

describe("the real clients", () => {
  test("kubeconfig prints a path, and kubectl and helm run on it", async () => {
    const printed = await pattern.travelops("kubeconfig");
    expect(printed).toMatchObject({ code: 0, stdout: `${pattern.kubeconfig}\n` });
    expect(existsSync(printed.stdout.trim())).toBe(true);
    const nodes = await pattern.travelops("kubectl", "get", "nodes", "-o", "name");
    expect(nodes.stdout.trim().split("\n")).toHaveLength(2);
    expect((await pattern.travelops("helm", "list", "-A", "-q")).code).toBe(0);
  });

  test("their exit codes are passed on", async () => {
    const outcome = await pattern.travelops("kubectl", "get", "pod", "no-such-pod");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('pods "no-such-pod" not found');
  });

  test("open prints the URL where there is no terminal", async () => {
    const outcome = await pattern.travelops("open", "control");
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toMatch(/^http:\/\/control-travel-control\.apps\.hub\.travelops\.localhost:\d+\n$/);
  });
});
