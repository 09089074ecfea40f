import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { afterEach, expect, it } from "vitest";

interface Watch {
  add(key: string, pid: number, limits: { memoryBytes?: number; pids?: number }): void;
  remove(key: string): void;
}
const { LimitsWatch } = createRequire(import.meta.url)("./limits-watch.cjs") as {
  LimitsWatch: new (exceeded: (key: string, why: string) => void) => Watch;
};

const started: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of started.splice(0)) if (pid !== undefined) process.kill(-pid, "SIGKILL");
});
const run = (script: string): number => {
  const child = spawn("sh", ["-c", script], { detached: true, stdio: "ignore" });
  started.push(child);
  return child.pid ?? 0;
};

it.runIf(process.platform === "linux")("tells which container is above which limit, and of no other", async () => {
  const told: string[] = [];
  const watch = new LimitsWatch((key, why) => void (told.includes(`${key} ${why}`) || told.push(`${key} ${why}`)));
  const many = "i=0; while [ $i -lt 30 ]; do sleep 60 & i=$((i+1)); done; wait";
  const holds = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 60; echo $x";
  watch.add("forks", run(many), { pids: 10 });
  watch.add("modest", run(many), { pids: 100 });
  watch.add("holds", run(holds), { memoryBytes: 10e6 });
  watch.add("little", run("sleep 60; true"), { memoryBytes: 100e6 });
  await expect.poll(() => told.toSorted(), { timeout: 15_000 }).toEqual(["forks pids", "holds memory"]);
  for (const key of ["forks", "modest", "holds", "little"]) watch.remove(key);
});
