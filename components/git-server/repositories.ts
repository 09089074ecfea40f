/** Bare repositories in one directory: `<root>/<owner>/<name>.git`. Every name from outside is checked here. */
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Durable before acknowledged, no hooks from the repository, fetch of any commit (Argo CD asks by hash). */
const SETTINGS: readonly (readonly [string, string])[] = [
  ["core.fsync", "all"],
  ["core.fsyncMethod", "fsync"],
  ["core.hooksPath", "/dev/null"],
  ["http.receivepack", "true"],
  ["receive.fsckObjects", "true"],
  ["receive.advertisePushOptions", "false"],
  ["uploadpack.allowFilter", "true"],
  ["uploadpack.allowAnySHA1InWant", "true"],
  ["gc.auto", "0"],
];

export interface RepositoryName {
  owner: string;
  name: string;
}

export type Refs = ReadonlyMap<string, string>;

export const isValidName = (name: string): boolean => NAME.test(name) && !name.endsWith(".git") && !name.includes("..");

/** git with nothing of the caller's surroundings but a PATH: no global config, no prompts. */
export const gitEnvironment = (extra: Record<string, string> = {}): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "safe.directory",
  GIT_CONFIG_VALUE_0: "*",
  GIT_TERMINAL_PROMPT: "0",
  LC_ALL: "C",
  ...extra,
});

export class Repositories {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  directory({ owner, name }: RepositoryName): string {
    if (!isValidName(owner) || !isValidName(name)) throw new Error(`not a repository name: ${owner}/${name}`);
    return path.join(this.root, owner, `${name}.git`);
  }

  async exists(repository: RepositoryName): Promise<boolean> {
    if (!isValidName(repository.owner) || !isValidName(repository.name)) return false;
    return stat(path.join(this.directory(repository), "HEAD")).then(
      () => true,
      () => false,
    );
  }

  /** Made beside its place and moved there, so that a kill leaves no half-made repository. False: it exists. */
  async create(repository: RepositoryName, defaultBranch: string): Promise<boolean> {
    if (await this.exists(repository)) return false;
    const target = this.directory(repository);
    const staged = `${target}.new-${process.pid}`;
    await rm(staged, { recursive: true, force: true });
    await mkdir(path.dirname(target), { recursive: true });
    await git(["init", "--quiet", "--bare", `--initial-branch=${defaultBranch}`, staged]);
    for (const [key, value] of SETTINGS) await git(["-C", staged, "config", key, value]);
    await rename(staged, target);
    return true;
  }

  async list(): Promise<RepositoryName[]> {
    const found: RepositoryName[] = [];
    for (const owner of await directories(this.root)) {
      for (const entry of await directories(path.join(this.root, owner))) {
        if (entry.endsWith(".git")) found.push({ owner, name: entry.slice(0, -4) });
      }
    }
    return found.toSorted((a, b) => `${a.owner}/${a.name}`.localeCompare(`${b.owner}/${b.name}`));
  }

  async defaultBranch(repository: RepositoryName): Promise<string> {
    return (await git(["-C", this.directory(repository), "symbolic-ref", "--short", "HEAD"])).trim();
  }

  /** Every ref with the commit it points to. */
  async refs(repository: RepositoryName): Promise<Refs> {
    const text = await git(["-C", this.directory(repository), "for-each-ref", "--format=%(objectname) %(refname)"]);
    const refs = new Map<string, string>();
    for (const line of text.split("\n")) {
      const space = line.indexOf(" ");
      if (space > 0) refs.set(line.slice(space + 1), line.slice(0, space));
    }
    return refs;
  }
}

async function directories(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function git(args: string[]): Promise<string> {
  const { stdout } = await run("git", args, { env: gitEnvironment(), maxBuffer: 64 << 20 });
  return stdout;
}

export const ABSENT = "0".repeat(40);

export interface RefUpdate {
  ref: string;
  before: string;
  after: string;
}

/** What a push changed. A new ref comes from, a deleted one goes to, the all-zero hash. */
export function refUpdates(before: Refs, after: Refs): RefUpdate[] {
  const updates: RefUpdate[] = [];
  for (const [ref, hash] of after) {
    const old = before.get(ref) ?? ABSENT;
    if (old !== hash) updates.push({ ref, before: old, after: hash });
  }
  for (const [ref, hash] of before) if (!after.has(ref)) updates.push({ ref, before: hash, after: ABSENT });
  return updates;
}
