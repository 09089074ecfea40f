import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { KubeClient } from "@travelops/kube";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { NODES, PODS } from "@travelops/kube/client/resources.ts";
import { eventually } from "../api-under-test.ts";
import { startClusterProcess } from "../cluster-under-test.ts";

/** A file system of its own that is quickly full; only root may mount one. */
const mayMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

const EVENTS = { group: "", version: "v1", resource: "events", kind: "Event", namespaced: true };

const podOf = (name: string, script: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "v", emptyDir: {} }],
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", `${script}; while :; do sleep 1; done`],
        volumeMounts: [{ name: "v", mountPath: "/v" }],
      },
    ],
  },
});

const statusOf = async (client: KubeClient, name: string) => (await client.get<Pod>(PODS, "default", name)).status;
const pressures = async (client: KubeClient): Promise<(string | undefined)[]> =>
  (await client.list(NODES)).items.map(
    ({ status }) => status?.conditions?.find(({ type }) => type === "DiskPressure")?.status,
  );

describe.skipIf(!mayMount).each(["auto", "bare"] as const)("the node's disk full (%s; needs root)", (sandbox) => {
  it("the pod that filled it goes, with the reason; the node says so, recovers, and runs pods again", async () => {
    const dataDir = mkdtempSync(path.join(tmpdir(), "travelops-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "none", dataDir]);
    mkdirSync(path.join(dataDir, "cluster"));
    const cluster = await startClusterProcess({ dataDir: path.join(dataDir, "cluster"), nodes: 1, sandbox });
    try {
      const { client } = cluster;
      await client.create(PODS, podOf("modest", "echo x > $TRAVELOPS_MOUNTS/v/x"));
      await client.create(PODS, podOf("greedy", "dd if=/dev/zero of=$TRAVELOPS_MOUNTS/v/x bs=64k"));
      const status = await eventually(async () => {
        const now = await statusOf(client, "greedy");
        return now?.phase === "Failed" && now;
      }, 60_000);
      expect(status).toMatchObject({
        reason: "Evicted",
        message: expect.stringContaining("The node was low on resource: ephemeral-storage. "),
      });
      // While the disk was full nothing could be written, the node's condition no more than all else.
      const said = async (): Promise<string[]> =>
        (await client.list(EVENTS)).items.map((event) => String(event["reason"]));
      await eventually(async () => (await said()).includes("NodeHasNoDiskPressure"), 30_000);
      await eventually(async () => (await said()).includes("Evicted"), 10_000);
      await eventually(async () => (await pressures(client)).every((one) => one === "False"), 10_000);
      expect((await statusOf(client, "modest"))?.phase).toBe("Running");
      await client.create(PODS, podOf("later", ":"));
      await eventually(async () => (await statusOf(client, "later"))?.phase === "Running", 30_000);
    } finally {
      await cluster.kill();
      execFileSync("umount", ["--lazy", dataDir]);
      rmSync(dataDir, { recursive: true, force: true });
    }
  }, 120_000);
});
