import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";

const root = mkdtempSync(path.join(tmpdir(), "travelops-set-up-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends the set-up and what it had started, before it comes back", async (signal, code) => {
  const launcher = path.join(root, "cli", "launcher");
  mkdirSync(launcher, { recursive: true });
  for (const file of ["set-up.cjs", "progress.cjs", "tools-integrity.json"])
    copyFileSync(path.join(import.meta.dirname, file), path.join(launcher, file));
  writeFileSync(path.join(root, "package-lock.json"), "{}");
  const pidFile = path.join(root, `${signal}.pid`);
  const npm = path.join(root, "npm.cjs");
  // As npm does, it does not end when it is asked to.
  writeFileSync(
    npm,
    `for (const s of ["SIGINT", "SIGTERM"]) process.on(s, () => {});
     require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => {}, 1000);`,
  );
  const child = spawn(process.execPath, [path.join(launcher, "set-up.cjs")], {
    env: { ...process.env, npm_execpath: npm },
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "", { timeout: 10_000 }).toBe(true);
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(isThere(pid)).toBe(true);
  child.kill(signal);
  expect((await exited)[0]).toBe(code);
  expect(isThere(pid)).toBe(false);
});
