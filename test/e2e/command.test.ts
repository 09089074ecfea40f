/** The command says no: one sentence, what to do next, and the exit code that belongs to it. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { command, type CommandOptions, type Outcome } from "./command.ts";
import { SMALL_PATTERN, writeFiles } from "./fixtures.ts";
import { removeAll, scratchDirectory } from "./pattern-under-test.ts";
import { existsSync } from "node:fs";

const shared = inject("travelops").dataDir;
let scratch = "";
let unused = "";

beforeAll(async () => {
  scratch = await scratchDirectory();
  unused = path.join(scratch, "unused");
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const run = (args: readonly string[], options: Partial<CommandOptions> = {}): Promise<Outcome> =>
  command(args, { dataDir: unused, ...options });

/** One sentence that begins with the program's name, and at most one line of advice. */
function expectRefusal(outcome: Outcome, code: number, sentence: RegExp): void {
  expect(outcome.stderr).toMatch(sentence);
  expect(outcome.code, outcome.stderr).toBe(code);
  expect(outcome.stdout).toBe("");
  const lines = outcome.stderr
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith("  ✗"));
  expect(lines[0]).toMatch(/^travelops: /);
  expect(lines.length).toBeLessThanOrEqual(2);
  expect(outcome.stderr).not.toMatch(/^\s+at /m);
}

describe("conflicts: 5", () => {
  test("a second up in the same directory", async () => {
    const outcome = await run(["up", "--detach"], { dataDir: shared });
    expectRefusal(outcome, 5, /travelops is already up in .* \(process \d+\)\n {2}see it with `travelops status`/);
    expect((await run(["status"], { dataDir: shared })).code).toBe(0);
  });

  test.each([
    ["--api-port", "the Kubernetes API"],
    ["--http-port", "HTTP of the applications"],
    ["--https-port", "HTTPS of the applications"],
  ])("a taken port: %s", async (flag, what) => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    try {
      const dataDir = path.join(scratch, `taken${flag}`);
      const outcome = await run(["up", "--detach", `${flag}=${port}`], { dataDir });
      expectRefusal(outcome, 5, new RegExp(`port ${port} \\(${what}\\) is taken by another program\n.*${flag}`));
      expect(existsSync(path.join(dataDir, "run.json"))).toBe(false);
      expect((await run(["status"], { dataDir })).code).toBe(3);
    } finally {
      server.close();
    }
  });
});

describe("no permission: 8", () => {
  test("a data directory that is a file", async () => {
    const dataDir = path.join(scratch, "file");
    await writeFile(dataDir, "");
    const outcome = await run(["up", "--detach"], { dataDir });
    expectRefusal(outcome, 8, /the data directory .*file cannot be used: .*\n {2}choose another with --data-dir/);
  });

  test.skipIf(process.getuid?.() !== 0)("a directory of another user (needs root to become one)", async () => {
    const owned = path.join(scratch, "owned");
    await mkdir(owned, { mode: 0o700 });
    const outcome = await run(["up", "--detach"], { dataDir: owned, user: { uid: 65_534, gid: 65_534 } });
    expectRefusal(outcome, 8, /the data directory .*owned cannot be used: /);
  });
});

describe("not found: 4", () => {
  test("git", async () => {
    const outcome = await run(["up", "--detach"], { env: { PATH: scratch } });
    expectRefusal(outcome, 4, /git is not on PATH\n {2}install git/);
  });

  test("a cluster", async () => {
    const outcome = await run(["kubeconfig", "--cluster", "moon"], { dataDir: shared });
    expectRefusal(outcome, 4, /there is no cluster "moon" here; there is: hub/);
  });

  test("a URL", async () => {
    const outcome = await run(["open", "nothing"], { dataDir: shared });
    expectRefusal(outcome, 4, /no Route, Ingress or Gateway named "nothing" is served\n {2}served are: control, git/);
  });
});

describe("not running: 3", () => {
  test.each([["status"], ["kubeconfig"], ["kubectl", "get", "pods"], ["helm", "list"], ["open", "control"], ["down"]])(
    "%s",
    async (...args) => {
      expectRefusal(await run(args), 3, /nothing is up in .*unused\n {2}start it with `travelops up`/);
    },
  );

  test("down --purge of nothing is done already", async () => {
    expect((await run(["down", "--purge"])).code).toBe(0);
  });
});

describe("usage: 2", () => {
  test.each([
    ["a command that is not there", ["frobnicate"], /unknown command 'frobnicate'/],
    ["a flag that is not there", ["up", "--frobnicate"], /unknown option '--frobnicate'/],
    ["a sandbox that is not there", ["up", "--sandbox", "vm"], /argument 'vm' is invalid/],
    ["a port that is none", ["up", "--api-port=x"], /--api-port: "x" is no port/],
    ["a number of nodes that is none", ["up", "--nodes=0"], /--nodes: "0" is no number from 1 to 100/],
    ["a duration that is none", ["up", "--timeout=soon"], /"soon" is no duration: write 90s, 2m or 1h/],
    ["a pattern that is none", ["up", "--pattern=/proc"], /the pattern \/proc cannot be used: it has no folder apps/],
    ["an output that is none", ["status", "-o", "xml"], /argument 'xml' is invalid/],
  ])("%s", async (_what, args, sentence) => {
    const outcome = await run(args);
    expect(outcome.stderr).toMatch(sentence);
    expect(outcome.code, outcome.stderr).toBe(2);
    expect(outcome.stdout).toBe("");
  });

  test("help is no failure, and names every command", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const name of ["up", "status", "down", "kubeconfig", "kubectl", "helm", "open"])
      expect(stdout).toContain(` ${name} `);
  });
});

describe("timeout: 6", () => {
  test("says what was waited for, and leaves what runs for a look", async () => {
    const dataDir = path.join(scratch, "slow");
    const small = path.join(scratch, "small");
    await writeFiles(small, SMALL_PATTERN);
    try {
      const outcome = await run(["up", "--detach", "--timeout=100ms", "--pattern", small], { dataDir });
      expect(outcome.stderr).toMatch(
        /travelops: bringing the pattern up took longer than 0\.1 s: .+\n {2}everything is left running/,
      );
      expect(outcome.code).toBe(6);
      expect([0, 7]).toContain((await run(["status"], { dataDir })).code);
    } finally {
      await removeAll(dataDir);
    }
  });
});
