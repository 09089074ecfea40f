/** The HTTP face: Git under `/OWNER/NAME.git`, and the part of Gitea's API that creates and lists repositories. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { nodeHttp } from "@travelops/kube/api/node-http";
import type { CheckCredentials } from "./credentials.ts";
import { isValidName, refUpdates, type RefUpdate, type Repositories, type RepositoryName } from "./repositories.ts";
import { advertiseRefs, isGitService, serveExchange } from "./smart-http.ts";

export interface GitServerOptions {
  repositories: Repositories;
  check: CheckCredentials;
  /** Called once a push that changed something is complete, before its answer ends. */
  onPush: (repository: RepositoryName, updates: RefUpdate[]) => void;
  log: (message: string, fields: Record<string, unknown>) => void;
}

export interface GitMetrics {
  fetches: number;
  pushes: number;
  refused: number;
}

const GIT_PATH = /^\/([^/]+)\/([^/]+?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;
const REPO_PATH = /^\/api\/v1\/repos\/([^/]+)\/([^/]+)$/;
const MAX_JSON = 64 << 10;

export function createGitServer(options: GitServerOptions): Server {
  const metrics: GitMetrics = { fetches: 0, pushes: 0, refused: 0 };
  return nodeHttp().createServer((request, response) => {
    handle(options, metrics, request, response).catch((error: unknown) => {
      options.log("request failed", { path: request.url, error: String(error) });
      if (!response.headersSent) json(response, 500, { message: "internal error, see the log of git-server" });
      else response.destroy();
    });
  });
}

async function handle(
  options: GitServerOptions,
  metrics: GitMetrics,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(`http://git-server${request.url ?? "/"}`);
  if (url === null) return text(response, 400, "not a path\n");
  if (url.pathname === "/healthz") return text(response, 200, "ok\n");
  const isMetrics = url.pathname === "/metrics";
  // What came by an ingress is from outside the cluster.
  if (isMetrics && request.headers["x-forwarded-for"] === undefined) return text(response, 200, renderMetrics(metrics));
  if (!(await options.check(request.headers.authorization))) {
    metrics.refused++;
    response.setHeader("www-authenticate", 'Basic realm="git-server", charset="UTF-8"');
    return json(response, 401, {
      message: "credentials are needed: those of the Secret git-server-credentials",
    });
  }
  if (isMetrics) return text(response, 200, renderMetrics(metrics));
  const git = GIT_PATH.exec(url.pathname);
  if (git !== null)
    return serveGit(
      options,
      metrics,
      { owner: git[1] ?? "", name: git[2] ?? "" },
      git[3] ?? "",
      url,
      request,
      response,
    );
  return serveApi(options, url, request, response);
}

async function serveGit(
  options: GitServerOptions,
  metrics: GitMetrics,
  repository: RepositoryName,
  action: string,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!(await options.repositories.exists(repository))) return text(response, 404, "repository not found\n");
  const directory = options.repositories.directory(repository);
  if (action === "info/refs") {
    const service = url.searchParams.get("service") ?? "";
    if (!isGitService(service)) return text(response, 403, "only smart HTTP is spoken here: use a current git\n");
    return advertiseRefs(service, directory, request, response);
  }
  if (request.method !== "POST" || !isGitService(action)) return text(response, 405, "POST is expected\n");
  if (action === "git-upload-pack") {
    metrics.fetches++;
    await serveExchange(action, directory, request, response);
    response.end();
    return;
  }
  metrics.pushes++;
  const before = await options.repositories.refs(repository);
  await serveExchange(action, directory, request, response);
  const updates = refUpdates(before, await options.repositories.refs(repository));
  if (updates.length > 0) options.onPush(repository, updates);
  response.end();
}

async function serveApi(
  options: GitServerOptions,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (url.pathname === "/api/v1/version") return json(response, 200, { version: "1.24.0+travelops" });
  if (url.pathname === "/api/v1/user/repos" && request.method === "GET") {
    return json(response, 200, (await options.repositories.list()).map(describe));
  }
  if (url.pathname === "/api/v1/user/repos" && request.method === "POST")
    return createRepository(options, request, response);
  const named = REPO_PATH.exec(url.pathname);
  if (named !== null && request.method === "GET") {
    const repository = { owner: named[1] ?? "", name: named[2] ?? "" };
    if (!(await options.repositories.exists(repository)))
      return json(response, 404, { message: "repository not found" });
    return json(response, 200, {
      ...describe(repository),
      default_branch: await options.repositories.defaultBranch(repository),
    });
  }
  return json(response, 404, {
    message: `${request.method} ${url.pathname} is not served here: Git and repository creation are`,
  });
}

const describe = (repository: RepositoryName): object => ({
  name: repository.name,
  full_name: `${repository.owner}/${repository.name}`,
  owner: { login: repository.owner },
});

async function createRepository(
  options: GitServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request);
  const name = body?.["name"];
  const branch = body?.["default_branch"] ?? "main";
  if (typeof name !== "string" || !isValidName(name))
    return json(response, 422, { message: "name: letters, digits, dot, dash and underscore are allowed" });
  if (typeof branch !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(branch))
    return json(response, 422, { message: "default_branch is no branch name" });
  const repository = { owner: "git", name };
  if (!(await options.repositories.create(repository, branch)))
    return json(response, 409, { message: "the repository exists already" });
  return json(response, 201, { ...describe(repository), default_branch: branch });
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_JSON) return undefined;
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function renderMetrics(metrics: GitMetrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `# TYPE git_server_${name}_total counter\ngit_server_${name}_total ${value}\n`)
    .join("");
}

function text(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8" }).end(body);
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
