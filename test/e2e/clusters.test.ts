/** Managed clusters beside the hub: created, used, killed, deleted and resumed, each without the others noticing. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClusterRow } from "../../cli/clusters/cluster-rows.ts";
import type { ClusterRun, RunState } from "../../cli/run-state.ts";
import type { StatusReport } from "../../cli/status/collect.ts";
import { descendantsOf, survivors } from "../crash/process-tree.ts";
import { command, type Outcome, type RunningCommand, startCommand } from "./command.ts";
import { SMALL_PATTERN, writeFiles } from "./fixtures.ts";
import { freePorts, removeAll, scratchDirectory } from "./pattern-under-test.ts";
import { until } from "./until.ts";

let dataDir = "";
let small = "";
let upFlags: string[] = [];
let up: RunningCommand;

beforeAll(async () => {
  [dataDir, small] = await Promise.all([scratchDirectory(), scratchDirectory()]);
  await writeFiles(small, SMALL_PATTERN);
  upFlags = ["up", "--pattern", small, "--timeout=60s", ...(await freePorts())];
  up = startCommand(upFlags, { dataDir });
  await up.said("Stop: Ctrl-C");
});
afterAll(async () => {
  await removeAll(dataDir);
  await rm(small, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Outcome> => command(args, { dataDir });

async function kubectl(context: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("kubectl", "--context", context, ...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

async function listed(): Promise<ClusterRow[]> {
  const { code, stdout } = await run("cluster", "list", "-o", "json");
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { clusters: ClusterRow[] }).clusters;
}

const states = async (): Promise<string[]> => (await listed()).map((each) => `${each.name} ${each.state}`);

async function processOf(name: string): Promise<ClusterRun> {
  const state = JSON.parse(await readFile(path.join(dataDir, "run.json"), "utf8")) as RunState;
  const found = state.clusters.find((each) => each.name === name);
  if (found === undefined) throw new Error(`run.json has no cluster ${name}`);
  return found;
}

const podRange = async (name: string): Promise<string> =>
  (await kubectl(name, "get", "nodes", "-o", "jsonpath={.items[0].spec.podCIDR}")).split(".").slice(0, 2).join(".");

test("two are created at once, with ranges, certificates and contexts of their own", async () => {
  const [east, west] = await Promise.all([
    run("cluster", "create", "east"),
    run("cluster", "create", "west", "--nodes", "1"),
  ]);
  expect(east.code, east.stderr).toBe(0);
  expect(east.stderr).toMatch(/✓ Cluster east: https:\/\/127\.0\.0\.1:\d+, pods in (namespaces|bare) \(/);
  expect(west.code, west.stderr).toBe(0);
  expect(await states()).toEqual(["hub running", "east running", "west running"]);

  expect(new Set(await Promise.all(["hub", "east", "west"].map(podRange))).size).toBe(3);
  expect((await kubectl("west", "get", "nodes", "-o", "name")).trim()).toBe("node/west-node-1");
  expect((await kubectl("east", "get", "nodes", "-o", "name")).trim().split("\n")).toHaveLength(2);
  const own = await run("kubeconfig", "--cluster", "east");
  expect(own.stdout.trim()).toBe(path.join(dataDir, "clusters", "east", "kubeconfig"));
  expect((await run("kubeconfig")).stdout.trim()).toBe(path.join(dataDir, "kubeconfig"));
  // Without a context it is the hub, as before.
  expect((await run("kubectl", "get", "nodes", "-o", "name")).stdout).toContain("node/hub-node-1");
});

/** What a pod of `east` hears of another cluster's API, by its name there and without a proxy. */
async function heardBy(pod: string, cluster: string, ca: string): Promise<string> {
  const program = `const [host, ca] = process.argv.slice(1);
    require("https").get({ host, port: 6443, path: "/healthz", ca: Buffer.from(ca, "base64"), agent: false },
      (answer) => answer.pipe(process.stdout)).on("error", (error) => console.log(error.code))`;
  const host = `api.${cluster}.travelops.internal`;
  return (await kubectl("east", "exec", pod, "--", "node", "-e", program, host, ca)).trim();
}
const authorityOf = (name: string): Promise<string> =>
  kubectl(
    name,
    ...["config", "view", "--raw", "-o"],
    `jsonpath={.clusters[?(@.name=="${name}")].cluster.certificate-authority-data}`,
  );

test("a pod runs in one, and nowhere else", async () => {
  await until("the default service account is there", () => kubectl("east", "get", "serviceaccount", "default"));
  await kubectl("east", "run", "sleeper", "--image=busybox", "--", "sleep", "1000");
  await kubectl("east", "wait", "pod/sleeper", "--for=condition=Ready", "--timeout=30s");
  expect(await kubectl("west", "get", "pods", "-o", "name")).toBe("");
  const report = JSON.parse((await run("status", "-o", "json")).stdout) as StatusReport;
  expect(report.pods).toContainEqual({ cluster: "east", running: 1, ready: 1, total: 1 });
});

test("a pod reaches the other clusters, whose own certificates answer", async () => {
  const [hub, west] = await Promise.all([authorityOf("hub"), authorityOf("west")]);
  expect(await heardBy("sleeper", "hub", hub)).toBe("ok");
  expect(await heardBy("sleeper", "west", west)).toBe("ok");
  expect(await heardBy("sleeper", "west", hub)).toMatch(/CERT|VERIFY/);
});

test("one that is killed takes its own pods along, and nothing else; it is told, and can be started again", async () => {
  const { pid } = await processOf("east");
  const tree = descendantsOf(pid);
  process.kill(pid, "SIGKILL");
  await up.said("✗ Cluster east ended unexpectedly; the others go on");
  await until("nothing of it is left", () => survivors(tree, path.join(dataDir, "clusters", "east")).length === 0);
  expect(await states()).toEqual(["hub running", "east failed", "west running"]);
  const status = await run("status");
  expect(status.code).toBe(7);
  expect(status.stdout).toMatch(/\neast +failed/);
  expect(await kubectl("west", "get", "namespaces", "-o", "name")).toContain("namespace/default");

  const again = await run("cluster", "create", "east");
  expect(again.code, again.stderr).toBe(0);
  await kubectl("east", "wait", "pod/sleeper", "--for=condition=Ready", "--timeout=30s");
});

test("what cannot be is refused with a sentence and an exit code", async () => {
  const refused: readonly [args: string[], code: number, words: RegExp][] = [
    [["create", "east"], 5, /there is a cluster "east" already/],
    [["create", "East_1"], 2, /"East_1" is no name for a cluster/],
    [["create", "north", "--nodes", "0"], 2, /--nodes: "0" is no number from 1 to 100/],
    [["delete", "hub"], 5, /the hub cannot be deleted/],
    [["delete", "north"], 4, /there is no cluster "north" here; there are: hub, east, west/],
  ];
  for (const [args, code, words] of refused) {
    const outcome = await run("cluster", ...args);
    expect(outcome.code, args.join(" ")).toBe(code);
    expect(outcome.stderr).toMatch(words);
  }
});

test("a deleted one is gone with its state and its context", async () => {
  const tree = descendantsOf((await processOf("west")).pid);
  expect((await run("cluster", "delete", "west")).code).toBe(0);
  await until("nothing of it is left", () => survivors(tree, path.join(dataDir, "clusters", "west")).length === 0);
  expect(await states()).toEqual(["hub running", "east running"]);
  expect(existsSync(path.join(dataDir, "clusters", "west"))).toBe(false);
  expect(await heardBy("sleeper", "west", "")).toBe("ENOTFOUND");
  expect((await run("kubectl", "config", "get-contexts", "-o", "name")).stdout.trim().split("\n").toSorted()).toEqual([
    "east",
    "hub",
  ]);
});

test("Ctrl-C stops all, and the next up resumes all, with the same addresses and pods", async () => {
  const before = await listed();
  const pod = await kubectl("east", "get", "pod/sleeper", "-o", "jsonpath={.metadata.uid}");
  const tree = descendantsOf((await processOf("east")).pid);
  up.child.kill("SIGINT");
  const outcome = await up.outcome;
  expect(outcome.code).toBe(0);
  // Only the one that was killed was ever told to have ended.
  expect(outcome.stderr.match(/ended unexpectedly/g)).toHaveLength(1);
  await until("nothing of it is left", () => survivors(tree, dataDir).length === 0);
  expect(await states()).toEqual(["hub stopped", "east stopped"]);
  expect((await run("cluster", "create", "north")).code).toBe(3);

  const detached = await run(...upFlags, "--detach");
  expect(detached.code, detached.stderr).toBe(0);
  expect(detached.stderr).toMatch(/✓ Cluster east: /);
  expect(await listed()).toEqual(before);
  await kubectl("east", "wait", "pod/sleeper", "--for=condition=Ready", "--timeout=30s");
  expect(await kubectl("east", "get", "pod/sleeper", "-o", "jsonpath={.metadata.uid}")).toBe(pod);
  const left = descendantsOf((await processOf("east")).pid);
  const down = await run("down");
  expect(down.stderr).toContain("✓ cluster east stopped");
  await until("nothing of it is left", () => survivors(left, dataDir).length === 0);
});
