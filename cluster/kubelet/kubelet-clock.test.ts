import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, type Clock } from "@travelops/kube/api/clock.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const HOUR = 3_600_000;
/** The machine's clock, which somebody sets. */
let step = 0;
const clock: Clock = { ...systemClock, now: () => systemClock.now() + step };

let lab: Lab;
beforeAll(async () => {
  lab = await startLab((await chooseSandbox("auto")).kind, { clock });
});
afterAll(async () => {
  await lab?.close();
});

const main = (script: string, more: object = {}) => ({
  name: "main",
  image: "busybox",
  command: ["sh", "-c", script],
  ...more,
});
const first = (pod: Pod) => pod.status?.containerStatuses?.[0];
const ended = async (name: string): Promise<void> =>
  await expect.poll(() => lab.kubelet.pod("default", name), { timeout: 10_000 }).toBeUndefined();

test("a clock that is set forward ends no pod before its deadline, nor its grace", async () => {
  step = 0;
  const script = "trap 'sleep 1; exit 21' TERM; while :; do sleep 0.05; done";
  await lab.run("patient", {
    activeDeadlineSeconds: 3000,
    terminationGracePeriodSeconds: 60,
    containers: [main(script, { readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 } })],
  });
  await lab.until("patient", (pod) => first(pod)?.ready === true);
  step = 2 * HOUR;
  lab.kubelet.pod("default", "patient")?.wake();
  const exits: (number | undefined)[] = [];
  const watching = new AbortController();
  const watch = lab.client.watch(PODS, { namespace: "default", signal: watching.signal });
  const reading = (async () => {
    for await (const event of watch) {
      const pod = event.object as Pod;
      if (pod.metadata.name === "patient") exits.push(first(pod)?.state?.terminated?.exitCode);
    }
  })().catch(() => undefined);
  await lab.client.delete(PODS, "default", "patient");
  // Another change of the object while it ends is no reason to be quicker.
  step = 5 * HOUR;
  await lab.client.patch(PODS, "default", "patient", "application/merge-patch+json", {
    metadata: { labels: { seen: "again" } },
  });
  await ended("patient");
  watching.abort();
  await reading;
  expect(exits).toContain(21);
}, 30_000);

test("a clock that is set back holds up neither a start after a back-off nor a probe", async () => {
  step = 0;
  await lab.run("crashing", { containers: [main("exit 1")] });
  await lab.until("crashing", (pod) => first(pod)?.state?.waiting?.reason === "CrashLoopBackOff");
  step = -5 * HOUR;
  await lab.until("crashing", (pod) => (first(pod)?.restartCount ?? 0) > 1, 25_000);
  await lab.run("probed", {
    containers: [
      main("while :; do sleep 1; done", { readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 } }),
    ],
  });
  await lab.until("probed", (pod) => first(pod)?.ready === true);
  await lab.remove("probed");
  await lab.remove("crashing");
}, 60_000);
