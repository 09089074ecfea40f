/** A working copy of the pattern's repository, made and pushed with the system's git as the farewell of `up` says. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { StatusReport } from "../../cli/status/collect.ts";
import { plainEnvironment } from "./command.ts";

const run = promisify(execFile);

export interface GitClone {
  readonly directory: string;
  git(...args: string[]): Promise<string>;
  read(file: string): Promise<string>;
  /** Writes each file (undefined: removes it), commits and pushes; gives the commit. */
  push(message: string, files: Readonly<Record<string, string | undefined>>): Promise<string>;
  remove(): Promise<void>;
}

const IDENTITY = { name: "E2E", email: "e2e@localhost" };

export async function gitClone(dataDir: string, status: StatusReport): Promise<GitClone> {
  const url = status.urls.find((each) => each.name === "git")?.url;
  if (url === undefined) throw new Error("no URL of the git-server in the status");
  const home = await mkdtemp(path.join(tmpdir(), "travelops-e2e-clone-"));
  const env = plainEnvironment({
    HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: IDENTITY.name,
    GIT_AUTHOR_EMAIL: IDENTITY.email,
    GIT_COMMITTER_NAME: IDENTITY.name,
    GIT_COMMITTER_EMAIL: IDENTITY.email,
  });
  const directory = path.join(home, "pattern");
  const helper = `credential.helper=store --file=${path.join(dataDir, "git-credentials")}`;
  await run("git", ["clone", "--quiet", "-c", helper, `${url}/git/pattern.git`, directory], { env, timeout: 30_000 });
  const git = async (...args: string[]): Promise<string> =>
    (await run("git", args, { cwd: directory, env, timeout: 30_000 })).stdout;
  return {
    directory,
    git,
    read: (file) => readFile(path.join(directory, file), "utf8"),
    async push(message, files) {
      for (const [file, text] of Object.entries(files)) {
        const full = path.join(directory, file);
        if (text === undefined) await rm(full);
        else {
          await mkdir(path.dirname(full), { recursive: true });
          await writeFile(full, text);
        }
      }
      await git("add", "--all");
      await git("commit", "--quiet", "--message", message);
      await git("push", "--quiet");
      return (await git("rev-parse", "HEAD")).trim();
    },
    remove: () => rm(home, { recursive: true, force: true }),
  };
}
