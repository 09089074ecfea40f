/** From up to down in every way there is: nothing stays that should not, and what should stays. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunState } from "../../cli/run-state.ts";
import { descendantsOf, type ProcessInfo, survivors } from "../crash/process-tree.ts";
import { command, type Outcome, type RunningCommand, startCommand } from "./command.ts";
import { SMALL_PATTERN, writeFiles } from "./fixtures.ts";
import { freePorts, removeAll, scratchDirectory } from "./pattern-under-test.ts";
import { until } from "./until.ts";

let dataDir = "";
let small = "";
let ports: string[] = [];

beforeAll(async () => {
  [dataDir, small, ports] = await Promise.all([scratchDirectory(), scratchDirectory(), freePorts()]);
  await writeFiles(small, SMALL_PATTERN);
});
afterAll(async () => {
  await removeAll(dataDir);
  await rm(small, { recursive: true, force: true });
});

const upFlags = (): string[] => ["up", "--pattern", small, "--timeout=60s", ...ports];
const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
  command(args, { dataDir, env });
const upInForeground = (...flags: string[]): RunningCommand => startCommand([...upFlags(), ...flags], { dataDir });

/** Known a moment after the cluster is said to run. */
const clusterPid = (): Promise<number> =>
  until("run.json names the cluster", async () => {
    const state = JSON.parse(await readFile(path.join(dataDir, "run.json"), "utf8")) as RunState;
    const pid = state.clusters[0]?.pid ?? 0;
    return pid > 0 && pid;
  });

/** The cluster and all that belongs to it: podhost, dataplane, every pod. */
async function clusterTree(): Promise<ProcessInfo[]> {
  const pid = await clusterPid();
  const tree = descendantsOf(pid);
  expect(tree.length).toBeGreaterThan(2);
  return tree;
}

const nothingLeft = (tree: readonly ProcessInfo[]): Promise<true> =>
  until("nothing of the cluster is left", () => {
    const left = survivors(tree, dataDir);
    if (left.length > 0) throw new Error(left.map((one) => `${one.pid} ${one.command.slice(0, 100)}`).join("\n"));
    return true as const;
  });

const isDown = async (): Promise<boolean> => (await run(["status"])).code === 3;

describe("in the foreground", () => {
  test("-o json tells events, Ctrl-C stops in order, the state is kept", async () => {
    const up = upInForeground("-o", "json");
    await until("it is up", async () => (await run(["status"])).code === 0);
    await until("it said so", () => up.stdout().includes('"event":"ready"'));
    const tree = await clusterTree();
    up.child.kill("SIGINT");
    const { code, stdout, stderr } = await up.outcome;
    expect(code).toBe(0);
    expect(stderr).toContain("✓ stopped; the state is kept for the next up");
    await nothingLeft(tree);
    expect(await isDown()).toBe(true);

    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.at(-1)).toMatchObject({
      event: "ready",
      kubeconfig: path.join(dataDir, "kubeconfig"),
      urls: [expect.objectContaining({ name: "git" })],
    });
    const done = events.filter((event) => event["state"] === "done");
    expect(done.map((event) => event["step"])).toEqual([
      "Cluster hub",
      "Components",
      "Git server",
      "Repository",
      "Applications",
    ]);
    for (const event of done) expect(event["durationMs"]).toEqual(expect.any(Number));
  });

  test("Ctrl-C while it comes up: 130, and nothing stays", async () => {
    const up = upInForeground();
    await up.said("✓ Cluster hub");
    const tree = await clusterTree();
    up.child.kill("SIGINT");
    const { code, stderr } = await up.outcome;
    expect(code).toBe(130);
    expect(stderr).not.toContain("travelops: ");
    await nothingLeft(tree);
    expect(await isDown()).toBe(true);
  });

  test("Ctrl-C before there is a cluster", async () => {
    const up = upInForeground();
    await until("it holds the directory", () => existsSync(path.join(dataDir, "run.json")));
    up.child.kill("SIGINT");
    expect((await up.outcome).code).toBe(130);
    await nothingLeft([]);
    expect(await isDown()).toBe(true);
  });

  test("a second Ctrl-C stops at once what would not stop in order", async () => {
    const up = upInForeground();
    await up.said("Stop: Ctrl-C");
    const tree = await clusterTree();
    // A cluster that does not listen to SIGTERM.
    process.kill(await clusterPid(), "SIGSTOP");
    up.child.kill("SIGINT");
    await up.said("again Ctrl-C: at once");
    const ended = await until("the second one counts", async () => {
      up.child.kill("SIGINT");
      return Promise.race([up.outcome, new Promise<false>((resolve) => setTimeout(() => resolve(false), 100))]);
    });
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    await nothingLeft(tree);
    expect(await isDown()).toBe(true);
  });

  test("kill -9 of the command ends its cluster", async () => {
    const up = upInForeground();
    await up.said("Stop: Ctrl-C");
    const tree = await clusterTree();
    up.child.kill("SIGKILL");
    await up.outcome;
    await nothingLeft(tree);
    expect(await isDown()).toBe(true);
  });

  test("down from elsewhere ends it well", async () => {
    const up = upInForeground();
    await up.said("Stop: Ctrl-C");
    const tree = await clusterTree();
    expect((await run(["down"])).code).toBe(0);
    expect((await up.outcome).code).toBe(0);
    await nothingLeft(tree);
  });
});

describe("detached", () => {
  test("it goes on without the command, and down ends it; NO_COLOR wins over FORCE_COLOR", async () => {
    const plain = await run([...upFlags(), "--detach"], { FORCE_COLOR: "1", NO_COLOR: "1" });
    expect(plain.code).toBe(0);
    expect(plain.stderr).not.toContain("\x1b[");
    expect(plain.stderr).toMatch(/✓ Repository: as it was left/);
    expect((await run(["status"])).code).toBe(0);
    const tree = await clusterTree();
    const down = await run(["down"]);
    expect(down).toMatchObject({ code: 0, stdout: "", stderr: "  ✓ cluster hub stopped\n" });
    await nothingLeft(tree);
    expect(await isDown()).toBe(true);
    expect(existsSync(path.join(dataDir, "clusters", "hub"))).toBe(true);
  });

  test("down --purge removes the state, and nothing that is not its own; FORCE_COLOR colours", async () => {
    const coloured = await run([...upFlags(), "--detach"], { FORCE_COLOR: "1" });
    expect(coloured.stderr).toContain("\x1b[32m✓\x1b[39m");
    await writeFile(path.join(dataDir, "mine.txt"), "not yours");
    const tree = await clusterTree();
    expect((await run(["down", "--purge"])).code).toBe(0);
    await nothingLeft(tree);
    expect(await readdir(dataDir)).toEqual(["mine.txt"]);
  });
});
