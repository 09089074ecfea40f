import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile, mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mountedCredentials, parseBasic } from "./credentials.ts";
import { announcePush, pushPayload } from "./push-webhook.ts";
import { ABSENT, refUpdates, Repositories, type RefUpdate } from "./repositories.ts";
import { createGitServer } from "./server.ts";

const run = promisify(execFile);
const pushes: RefUpdate[][] = [];
let root: string;
let base: string;
let close: () => Promise<void>;
const auth = `Basic ${Buffer.from("git:s3cret").toString("base64")}`;

const git = (cwd: string, ...args: string[]) =>
  run("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
    cwd,
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null" },
  });

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "git-server-"));
  await mkdir(path.join(root, "credentials"));
  await writeFile(path.join(root, "credentials", "username"), "git\n");
  await writeFile(path.join(root, "credentials", "password"), "s3cret\n");
  const server = createGitServer({
    repositories: new Repositories(path.join(root, "data")),
    check: mountedCredentials(path.join(root, "credentials")),
    onPush: (_repository, updates) => pushes.push(updates),
    log: () => {},
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => new Promise((resolve) => server.close(() => resolve()));
});

afterAll(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

const api = (method: string, route: string, body?: unknown) =>
  fetch(`http://${base}${route}`, {
    method,
    headers: { authorization: auth },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe("git-server", () => {
  it("clones, pushes and announces with the real git", async () => {
    expect((await api("POST", "/api/v1/user/repos", { name: "pattern" })).status).toBe(201);
    const url = `http://git:s3cret@${base}/git/pattern.git`;
    const work = path.join(root, "work");
    await git(root, "clone", url, work);
    await writeFile(path.join(work, "values.yaml"), "replicas: 1\n");
    await git(work, "add", ".");
    await git(work, "commit", "-m", "one");
    await git(work, "push", "origin", "HEAD:main");
    const head = (await git(work, "rev-parse", "HEAD")).stdout.trim();
    expect(pushes).toEqual([[{ ref: "refs/heads/main", before: ABSENT, after: head }]]);
    await git(root, "clone", "--depth=1", url, path.join(root, "again"));
    expect((await git(path.join(root, "again"), "rev-parse", "HEAD")).stdout.trim()).toBe(head);
    expect(await (await api("GET", "/api/v1/repos/git/pattern")).json()).toMatchObject({
      full_name: "git/pattern",
      default_branch: "main",
    });
  });

  it("refuses everything but health without credentials", async () => {
    await api("POST", "/api/v1/user/repos", { name: "closed" });
    for (const route of [
      "/git/closed.git/info/refs?service=git-upload-pack",
      "/api/v1/user/repos",
      "/git/none.git/info/refs",
    ]) {
      const response = await fetch(`http://${base}${route}`);
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Basic");
    }
    await expect(git(root, "clone", `http://git:wrong@${base}/git/closed.git`, path.join(root, "no"))).rejects.toThrow(
      /Authentication failed|401/,
    );
    expect((await fetch(`http://${base}/healthz`)).status).toBe(200);
    const metrics = async (headers: Record<string, string>): Promise<number> => {
      const response = await fetch(`http://${base}/metrics`, { headers });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await metrics({})).toBe(200);
    expect(await metrics({ "x-forwarded-for": "127.0.0.1" })).toBe(401);
  });

  it.each([
    ["../../etc", 422],
    ["a/b", 422],
    ["", 422],
    [".git", 422],
    ["x".repeat(200), 422],
    [7, 422],
  ])("refuses the repository name %s", async (name, status) => {
    expect((await api("POST", "/api/v1/user/repos", { name })).status).toBe(status);
  });

  it("says that a repository exists", async () => {
    await api("POST", "/api/v1/user/repos", { name: "twice" });
    expect((await api("POST", "/api/v1/user/repos", { name: "twice" })).status).toBe(409);
  });

  it("never leaves its directory, whatever the path", async () => {
    await fc.assert(
      fc.asyncProperty(fc.webPath(), async (route) => {
        const response = await api("GET", route.startsWith("/") ? route : `/${route}`);
        expect(response.status).toBeLessThan(500);
        await response.arrayBuffer();
      }),
      { numRuns: 60 },
    );
  });

  it("signs what it announces, and tries again", async () => {
    const seen: { headers: Headers; body: string }[] = [];
    const answers = [503, 200];
    await announcePush(
      { url: "http://follower/api/webhook", secret: "k", cloneBase: "http://g" },
      pushPayload(
        { owner: "git", name: "p" },
        { ref: "refs/heads/main", before: ABSENT, after: "1".repeat(40) },
        "http://g/",
        "main",
      ),
      {
        fetch: (_url, init) => {
          seen.push({ headers: new Headers(init?.headers), body: init?.body as string });
          return Promise.resolve(new Response("", { status: answers.shift() ?? 500 }));
        },
        wait: () => Promise.resolve(),
        log: () => {},
        signal: new AbortController().signal,
      },
    );
    expect(seen).toHaveLength(2);
    expect(seen[0]?.headers.get("x-hub-signature-256")).toMatch(/^sha256=[0-9a-f]{64}$/);
    expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({
      ref: "refs/heads/main",
      repository: { clone_url: "http://g/git/p.git", html_url: "http://g/git/p" },
    });
  });
});

describe("refUpdates", () => {
  it("tells what changed, whatever the two states", () => {
    const refs = fc.dictionary(
      fc.constantFrom("refs/heads/a", "refs/heads/b", "refs/tags/v1"),
      fc.constantFrom("1", "2"),
    );
    fc.assert(
      fc.property(refs, refs, (before, after) => {
        const state = new Map<string, string>(Object.entries(before));
        for (const update of refUpdates(new Map(Object.entries(before)), new Map(Object.entries(after)))) {
          expect(state.get(update.ref) ?? ABSENT).toBe(update.before);
          if (update.after === ABSENT) state.delete(update.ref);
          else state.set(update.ref, update.after);
        }
        expect(Object.fromEntries(state)).toEqual(after);
      }),
    );
  });
});

describe("parseBasic", () => {
  it("reads what a client wrote and nothing else", () => {
    expect(parseBasic(auth)).toEqual({ user: "git", password: "s3cret" });
    for (const bad of [
      undefined,
      "",
      "Bearer x",
      "Basic",
      "Basic !!",
      `Basic ${Buffer.from("nocolon").toString("base64")}`,
    ])
      expect(parseBasic(bad)).toBeUndefined();
  });
});
