/** Puts a directory into the in-cluster repository as its first commit, with the system's git. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { patternUnusable } from "../errors.ts";
import type { GitCredentials } from "./secrets.ts";

const run = promisify(execFile);

export interface Seed {
  git: string;
  /** Where the git-server answers from here: `http://127.0.0.1:PORT`. */
  server: string;
  credentials: GitCredentials;
  repository: string;
  branch: string;
  directory: string;
  signal: AbortSignal;
}

export type SeedResult = { state: "seeded"; commit: string } | { state: "kept" };

const basic = ({ username, password }: GitCredentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** A repository that has the branch already is left as it is: what was pushed since is the user's. */
export async function seedRepository(seed: Seed): Promise<SeedResult> {
  await checkDirectory(seed.directory);
  await createRepository(seed);
  const remote = `${seed.server}/git/${seed.repository}.git`;
  const env = gitEnvironment(seed.credentials);
  const listed = await run(seed.git, ["ls-remote", "--heads", remote, seed.branch], {
    env,
    signal: seed.signal,
  });
  if (listed.stdout.trim() !== "") return { state: "kept" };
  const scratch = await mkdtemp(path.join(tmpdir(), "travelops-seed-"));
  try {
    const git = (...args: string[]) =>
      run(seed.git, [`--git-dir=${scratch}/git`, `--work-tree=${seed.directory}`, ...args], {
        env,
        cwd: seed.directory,
        signal: seed.signal,
      });
    await run(seed.git, ["init", "--quiet", "--bare", `--initial-branch=${seed.branch}`, `${scratch}/git`], {
      env,
    });
    await git("config", "core.bare", "false");
    await git("add", "--all", ".");
    await git("commit", "--quiet", "--message", "Seed the pattern");
    await git("push", "--quiet", remote, `HEAD:refs/heads/${seed.branch}`);
    return { state: "seeded", commit: (await git("rev-parse", "HEAD")).stdout.trim() };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function checkDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) throw patternUnusable(directory, "it is no directory");
}

/** The credentials travel in the environment, so that no process list shows them. */
function gitEnvironment(credentials: GitCredentials): NodeJS.ProcessEnv {
  // What a surrounding git (a hook, say) set for itself is about another repository.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  return {
    ...Object.fromEntries(own),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_0: "http.extraHeader",
    GIT_CONFIG_VALUE_0: `Authorization: ${basic(credentials)}`,
    GIT_CONFIG_KEY_1: "safe.directory",
    GIT_CONFIG_VALUE_1: "*",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "TravelOps",
    GIT_AUTHOR_EMAIL: "travelops@localhost",
    GIT_COMMITTER_NAME: "TravelOps",
    GIT_COMMITTER_EMAIL: "travelops@localhost",
  };
}

async function createRepository(seed: Seed): Promise<void> {
  const response = await fetch(`${seed.server}/api/v1/user/repos`, {
    method: "POST",
    headers: { authorization: basic(seed.credentials), "content-type": "application/json" },
    body: JSON.stringify({ name: seed.repository, default_branch: seed.branch }),
    signal: seed.signal,
  });
  const text = await response.text();
  if (!response.ok && response.status !== 409)
    throw new Error(`git-server refused to create ${seed.repository}: ${response.status} ${text.trim()}`);
}
