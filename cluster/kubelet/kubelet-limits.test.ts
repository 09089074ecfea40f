import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const first = (pod: Pod) => pod.status?.containerStatuses?.[0];
const ended = (pod: Pod) => first(pod)?.state?.terminated;
const PIDS = 60;

for (const kind of ["namespaces", "bare"] as const) {
  describe.skipIf(kind === "namespaces" && probed.kind === "bare")(`limits in the ${kind} sandbox`, () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await startLab(kind, { podPidsLimit: PIDS });
    });
    afterAll(async () => {
      await lab?.close();
    });
    const main = (script: string, more: Record<string, unknown> = {}) => ({
      name: "main",
      image: "busybox",
      command: ["sh", "-c", script],
      ...more,
    });

    test("a container above its limit of memory is killed, says so, and is started again", async () => {
      const hungry = main("exec tail /dev/zero", { resources: { limits: { memory: "64Mi" } } });
      await lab.run("hungry", { restartPolicy: "Never", containers: [hungry] });
      const pod = await lab.until("hungry", (p) => p.status?.phase === "Failed", 30_000);
      expect(ended(pod)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
      expect(await lab.events("hungry")).toContain(
        "OOMKilling: Container main held more than its limit of memory (64Mi)",
      );
      await lab.run("hungry-again", { containers: [hungry] });
      const again = await lab.until("hungry-again", (p) => (first(p)?.restartCount ?? 0) > 0, 30_000);
      expect(first(again)?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
      await lab.remove("hungry-again");
    }, 60_000);

    test("one that stays below its limit is left alone", async () => {
      const held = main("head -c 20m /dev/zero | tail -c 20m | wc -c", { resources: { limits: { memory: "200Mi" } } });
      await lab.run("modest", { restartPolicy: "Never", containers: [held] });
      await lab.until("modest", (p) => p.status?.phase === "Succeeded", 30_000);
    }, 60_000);

    test("a pod that forks without end comes to its limit, and others go on", async () => {
      // Each makes two more, far more than are allowed; all end by themselves after a while.
      const bomb = "f() { sleep 0.1; f & f & wait; }; f";
      await lab.run("bomb", { containers: [main(bomb), { ...main("while :; do sleep 0.2; done"), name: "other" }] });
      await lab.until("bomb", (p) => p.status?.phase === "Running", 30_000);
      const most = lab.sandbox.limits.pids === "cgroup" ? PIDS : PIDS * 3;
      const group = lab.kubelet.pod("default", "bomb")?.pod.metadata.uid ?? "";
      const seen = processesOf(group, "bomb");
      await expect.poll(seen, { timeout: 10_000 }).toBeGreaterThan(PIDS / 3);
      for (let look = 0; look < 10; look++) {
        expect(seen()).toBeLessThanOrEqual(most);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await lab.run("beside", { restartPolicy: "Never", containers: [main("true | true | true")] });
      await lab.until("beside", (p) => p.status?.phase === "Succeeded", 30_000);
      await lab.remove("bomb");
      await expect.poll(() => lab.kubelet.pod("default", "bomb"), { timeout: 20_000 }).toBeUndefined();
      await expect.poll(seen, { timeout: 10_000 }).toBe(0);
    }, 90_000);

    test.skipIf(!existsSync("/sys/fs/cgroup/cpu"))("a limit of CPU holds where there are control groups", async () => {
      if (lab.sandbox.limits.cpu !== "cgroup") return;
      const limits = { resources: { limits: { cpu: "100m" }, requests: { cpu: "50m" } } };
      await lab.run("slow", { containers: [main("while :; do :; done", limits)] });
      const pod = await lab.until("slow", (p) => p.status?.phase === "Running");
      const usage = async (): Promise<{ at: number; cpuMs: number }> =>
        (await lab.sandbox.usage()).find(({ key }) => key.startsWith(`${pod.metadata.uid}/main`)) ?? {
          at: 0,
          cpuMs: 0,
        };
      const before = await usage();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const after = await usage();
      expect((after.cpuMs - before.cpuMs) / (after.at - before.at)).toBeLessThan(0.3);
      await lab.remove("slow");
    });
  });
}

/** Processes of a pod, by what names it in their arguments or environment. */
function processesOf(uid: string, name: string): () => number {
  return () =>
    readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
      try {
        if (readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(uid)) return true;
        // Without control groups a pod's processes are known by what they were given.
        const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
        return environment.includes(`HOSTNAME=${name}`) || environment.some((each) => each.includes(uid));
      } catch {
        return false;
      }
    }).length;
}
