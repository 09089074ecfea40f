/** `--pattern URL`: a repository that is somewhere else, with its credentials. */
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONFIG_MAPS, customResource } from "@travelops/kube/client/resources";
import { type Outcome, plainEnvironment } from "./command.ts";
import { SMALL_PATTERN, writeFiles } from "./fixtures.ts";
import { foreignGitServer, type ForeignGitServer } from "./foreign-git-server.ts";
import {
  bringUp,
  clusterLog,
  patternIn,
  type PatternUnderTest,
  removeAll,
  scratchDirectory,
} from "./pattern-under-test.ts";
import { until } from "./until.ts";

const APPLICATIONS = customResource("argoproj.io", "v1alpha1", "applications", "Application", true);
const PASSWORD = "correct-horse-battery";

let dataDir = "";
let scratch = "";
let server: ForeignGitServer;
let pattern: PatternUnderTest;
let up: Outcome;

const git = async (...args: string[]): Promise<string> => {
  const identity = ["-c", "user.name=E2E", "-c", "user.email=e2e@localhost"];
  const { stdout } = await promisify(execFile)("git", [...identity, ...args], {
    cwd: path.join(scratch, "work"),
    env: plainEnvironment({ GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" }),
  });
  return stdout.trim();
};

/** Commits what is written, on the branch `stable`. */
async function publish(files: Readonly<Record<string, string>>): Promise<string> {
  await writeFiles(path.join(scratch, "work"), files);
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "A state of the pattern");
  await git("push", "--quiet", path.join(scratch, "served", "theirs.git"), "HEAD:refs/heads/stable");
  return git("rev-parse", "HEAD");
}

beforeAll(async () => {
  [dataDir, scratch] = await Promise.all([scratchDirectory(), scratchDirectory()]);
  await writeFiles(path.join(scratch, "work"), SMALL_PATTERN);
  await git("init", "--quiet", "--initial-branch=stable");
  await git("init", "--quiet", "--bare", path.join(scratch, "served", "theirs.git"));
  await publish({});
  server = await foreignGitServer(path.join(scratch, "served"), "them", PASSWORD);
  const url = server.url.replace("//", `//them:${PASSWORD}@`);
  up = await bringUp(["--pattern", `${url}/theirs.git`, "--revision", "stable", "--timeout=60s"], { dataDir });
  pattern = patternIn(dataDir);
});
afterAll(async () => {
  pattern?.close();
  server?.close();
  await removeAll(dataDir);
  await rm(scratch, { recursive: true, force: true });
});

const marker = async (): Promise<unknown> =>
  (await pattern.client.get(CONFIG_MAPS, "openshift-gitops", "small-pattern"))["data"];

test("its branch is followed", async () => {
  const { applications } = await pattern.settled(await git("rev-parse", "HEAD"));
  expect(applications.map((each) => each.name)).toEqual(["pattern"]);
  expect(await marker()).toEqual({ from: "git" });
});

test("no repository is seeded beside it", () => {
  expect(up.stderr).not.toContain("Repository");
  expect(up.stderr).not.toContain("git clone");
});

test("what is pushed there is live at the next refresh", async () => {
  const name = "apps/templates/marker.yaml";
  const commit = await publish({ [name]: SMALL_PATTERN[name].replace("from: git", "from: elsewhere") });
  await pattern.kubectl("-n=openshift-gitops", "annotate", "application/pattern", "argocd.argoproj.io/refresh=normal");
  await pattern.settled(commit);
  expect(await marker()).toEqual({ from: "elsewhere" });
  const refreshed = await until("the request is answered", async () => {
    const { metadata } = await pattern.client.get(APPLICATIONS, "openshift-gitops", "pattern");
    return metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined;
  });
  expect(refreshed).toBe(true);
});

test("its password is in a Secret, and nowhere else", async () => {
  const seen = [
    up.stderr,
    up.stdout,
    (await pattern.travelops("status", "-o", "json")).stdout,
    await clusterLog(dataDir),
    await readFile(path.join(dataDir, "run.json"), "utf8"),
    await pattern.kubectl("get", "applications,appprojects,configmaps,events,pods", "-A", "-o", "yaml"),
    await pattern.kubectl("-n=openshift-gitops", "logs", "deploy/gitops"),
  ];
  for (const text of seen) expect(text).not.toContain(PASSWORD);
  // Secrets are encrypted at rest: no file of the cluster has it either.
  const clusters = path.join(dataDir, "clusters");
  await expect(promisify(execFile)("grep", ["-rlaF", "-D", "skip", PASSWORD, clusters])).rejects.toMatchObject({
    code: 1,
  });
});
