import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { systemClock, type Clock } from "@travelops/kube/api/clock.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { NODES } from "@travelops/kube/client/resources.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { NODE, startLab, type Lab } from "./testing/lab.ts";

/** What comes every ten seconds comes sooner here. */
const clock: Clock = {
  ...systemClock,
  setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms === 10_000 ? 100 : ms),
};
const GIGABYTE = 1e9;
let available = 50 * GIGABYTE;

let lab: Lab;
beforeAll(async () => {
  const diskSpace = () => Promise.resolve({ available, capacity: 100 * GIGABYTE });
  lab = await startLab((await chooseSandbox("auto")).kind, { clock, diskSpace });
});
afterAll(async () => {
  await lab?.close();
});
beforeEach(() => void (available = 50 * GIGABYTE));

const ROOT = "$TRAVELOPS_MOUNTS";
const WAIT = "; while :; do sleep 0.2; done";
const main = (script: string, more: object = {}) => ({
  name: "main",
  image: "busybox",
  command: ["sh", "-c", script + WAIT],
  ...more,
});
const evicted = (pod: Pod): boolean => pod.status?.phase === "Failed" && pod.status.reason === "Evicted";
const pressure = async (): Promise<string | undefined> =>
  (await lab.client.get(NODES, "", NODE)).status?.conditions?.find(({ type }) => type === "DiskPressure")?.status;

test("a pod above its volume's size is evicted, says so, and gives the space back", async () => {
  await lab.run("wide", {
    volumes: [{ name: "cache", emptyDir: { sizeLimit: "1Mi" } }],
    containers: [
      main(`head -c 3000000 /dev/zero > ${ROOT}/c/file`, { volumeMounts: [{ name: "cache", mountPath: "/c" }] }),
    ],
  });
  const pod = await lab.until("wide", evicted, 20_000);
  const message = 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ';
  expect(pod.status?.message).toBe(message);
  expect(pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget")).toMatchObject({
    status: "True",
    reason: "TerminationByKubelet",
    message,
  });
  expect(await lab.events("wide")).toContain(`Evicted: ${message}`);
  await expect.poll(() => existsSync(join(lab.directory, "pods", NODE, pod.metadata.uid ?? "", "volumes"))).toBe(false);
});

test("a container above its ephemeral storage, by files or by logs", async () => {
  const resources = { limits: { "ephemeral-storage": "1Mi" } };
  await lab.run("files", {
    containers: [
      main("head -c 3000000 /dev/zero > $TMPDIR/tmp-file", { resources, env: [{ name: "TMPDIR", value: "/tmp" }] }),
    ],
  });
  const files = await lab.until("files", evicted, 20_000);
  expect(files.status?.message).toBe("Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ");
  const beside = { ...main("true"), name: "beside" };
  await lab.run("talks", { containers: [main("head -c 2500000 /dev/zero | tr '\\0' x", { resources }), beside] });
  const talks = await lab.until("talks", evicted, 20_000);
  expect(talks.status?.message).toBe('Container main exceeded its local ephemeral storage limit "1Mi". ');
});

test("while the disk is nearly full: the node says so, the greatest holder goes, no pod comes, and then it is over", async () => {
  const volume = { volumes: [{ name: "v", emptyDir: {} }] };
  const mount = { volumeMounts: [{ name: "v", mountPath: "/v" }] };
  await lab.run("great", {
    ...volume,
    containers: [
      main(`head -c 5000000 /dev/zero > ${ROOT}/v/x; touch ${ROOT}/v/done`, {
        ...mount,
        readinessProbe: { exec: { command: ["sh", "-c", `test -e ${ROOT}/v/done`] } },
      }),
    ],
  });
  await lab.run("small", { ...volume, containers: [main(`echo x > ${ROOT}/v/x`, mount)] });
  await lab.until("great", (pod) => pod.status?.containerStatuses?.[0]?.ready === true);
  await lab.until("small", (pod) => pod.status?.phase === "Running");
  available = 1_000_000;
  const great = await lab.until("great", evicted, 20_000);
  expect(great.status?.message).toMatch(
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: 104857600, available: 976Ki\. Container main was using/,
  );
  await expect.poll(pressure).toBe("True");
  await lab.run("late", { containers: [main("true")] });
  expect((await lab.until("late", evicted)).status?.message).toBe("The node had condition: [DiskPressure]. ");
  expect((await lab.get("small")).status?.phase).toBe("Running");
  available = 50 * GIGABYTE;
  await expect.poll(pressure, { timeout: 10_000 }).toBe("False");
  await lab.run("again", { containers: [main("true")] });
  await lab.until("again", (pod) => pod.status?.phase === "Running");
  for (const name of ["small", "again"]) await lab.remove(name);
});
