/** A local mirror of one repository and one checked-out tree a commit, by the system's git. */
import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";
import type { RepositoryCredentials } from "./repository-credentials.ts";
import type { RunTool } from "./run-tool.ts";
import { SourceError } from "./source-error.ts";

export interface GitOptions {
  /** Where mirrors and trees are kept. */
  cache: string;
  run: RunTool;
  /** Trees kept per repository. */
  keepTrees?: number;
}

const COMMIT = /^[0-9a-f]{40}$/;
const ALLOWED = /^(https?|ssh|file):\/\/|^[\w.-]+@[\w.-]+:/;

export class GitRepositories {
  readonly #options: GitOptions;
  /** One git operation a repository at a time. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: GitOptions) {
    this.#options = options;
  }

  /** The commit that a branch, tag, HEAD or (short) hash stands for, asked of the remote. */
  async resolve(
    url: string,
    revision: string,
    credentials: RepositoryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    checkUrl(url);
    if (COMMIT.test(revision)) return revision;
    const name = revision === "" ? "HEAD" : revision;
    if (name.startsWith("-")) throw new SourceError(`targetRevision "${name}" is no revision`);
    const { stdout } = await this.#git(
      ["ls-remote", "--", url, name, `refs/heads/${name}`, `refs/tags/${name}^{}`, `refs/tags/${name}`],
      credentials,
      signal,
    );
    const refs = new Map(
      stdout
        .split("\n")
        .flatMap((line) => (line.includes("\t") ? [line.split("\t").toReversed() as [string, string]] : [])),
    );
    const found =
      refs.get(`refs/heads/${name}`) ??
      refs.get(`refs/tags/${name}^{}`) ??
      refs.get(`refs/tags/${name}`) ??
      refs.get(name);
    if (found === undefined)
      throw new SourceError(`unable to resolve "${name}" of ${url} to a commit: no branch or tag has that name`);
    return found;
  }

  /** Directory of the whole tree at `commit`. Trees are never written to: copy what a tool changes. */
  tree(
    url: string,
    commit: string,
    revision: string,
    credentials: RepositoryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    checkUrl(url);
    const home = path.join(this.#options.cache, createHash("sha256").update(url).digest("hex").slice(0, 24));
    const before = this.#queues.get(home) ?? Promise.resolve();
    const work = before
      .catch(() => undefined)
      .then(() => this.#checkout(home, url, commit, revision, credentials, signal));
    this.#queues.set(home, work);
    return work;
  }

  async #checkout(
    home: string,
    url: string,
    commit: string,
    revision: string,
    credentials: RepositoryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const tree = path.join(home, "trees", commit);
    if (await exists(tree)) {
      const now = new Date();
      await utimes(tree, now, now).catch(() => undefined);
      return tree;
    }
    const mirror = path.join(home, "mirror");
    if (!(await exists(path.join(mirror, "HEAD")))) {
      await mkdir(home, { recursive: true, mode: 0o700 });
      await this.#git(["init", "--quiet", "--bare", mirror], undefined, signal);
    }
    if (!(await this.#has(mirror, commit, signal)))
      await this.#fetch(mirror, url, commit, revision, credentials, signal);
    const staged = `${tree}.new`;
    await rm(staged, { recursive: true, force: true });
    await mkdir(staged, { recursive: true });
    await this.#git(
      [
        `--git-dir=${mirror}`,
        `--work-tree=${staged}`,
        "-c",
        "core.symlinks=true",
        "checkout",
        "--quiet",
        "--force",
        commit,
        "--",
        ".",
      ],
      undefined,
      signal,
    );
    await rename(staged, tree);
    await this.#prune(path.join(home, "trees"));
    return tree;
  }

  async #has(mirror: string, commit: string, signal: AbortSignal): Promise<boolean> {
    return this.#git([`--git-dir=${mirror}`, "cat-file", "-e", `${commit}^{commit}`], undefined, signal).then(
      () => true,
      () => false,
    );
  }

  /** The commit alone; a server that does not give single commits is asked for the revision, then for everything. */
  async #fetch(
    mirror: string,
    url: string,
    commit: string,
    revision: string,
    credentials: RepositoryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const attempts = [
      ["--depth=1", "--", url, commit],
      ["--", url, revision === "" ? "HEAD" : revision],
      ["--tags", "--", url, "+refs/heads/*:refs/heads/*"],
    ];
    let last: unknown;
    for (const attempt of attempts) {
      try {
        await this.#git(
          [`--git-dir=${mirror}`, "fetch", "--quiet", "--no-write-fetch-head", "--force", ...attempt],
          credentials,
          signal,
        );
        if (await this.#has(mirror, commit, signal)) return;
      } catch (error) {
        last = error;
      }
    }
    throw last ?? new SourceError(`commit ${commit} is not in ${url}`);
  }

  async #prune(trees: string): Promise<void> {
    const names = (await readdir(trees)).filter((name) => COMMIT.test(name));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, used: (await stat(path.join(trees, name))).mtimeMs })),
    );
    for (const { name } of aged.toSorted((a, b) => b.used - a.used).slice(this.#options.keepTrees ?? 8)) {
      await rm(path.join(trees, name), { recursive: true, force: true });
    }
  }

  #git(args: string[], credentials: RepositoryCredentials | undefined, signal: AbortSignal) {
    return this.#options.run("git", args, { signal, env: gitEnvironment(credentials) });
  }
}

function checkUrl(url: string): void {
  if (!ALLOWED.test(url))
    throw new SourceError(`repoURL "${url}" is no http, https, ssh or file URL of a Git repository`);
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Credentials go by environment: neither a process list nor a config file shows them. */
function gitEnvironment(credentials: RepositoryCredentials | undefined): Record<string, string> {
  const config: [string, string][] = [
    ["safe.directory", "*"],
    ["advice.detachedHead", "false"],
    ["core.hooksPath", "/dev/null"],
    ["protocol.ext.allow", "never"],
  ];
  if (credentials !== undefined && credentials.password !== "") {
    const basic = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
    config.push(["http.extraHeader", `Authorization: Basic ${basic}`]);
  }
  if (credentials?.insecure === true) config.push(["http.sslVerify", "false"]);
  const env: Record<string, string> = {
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: String(config.length),
    ...proxyEnvironment(),
  };
  for (const [index, [key, value]] of config.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

function proxyEnvironment(): Record<string, string> {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? ""]])),
  );
}
