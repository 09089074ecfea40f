/** Git's smart HTTP (gitprotocol-http): the two services of the system's git, run with --stateless-rpc. */
import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { gitEnvironment } from "./repositories.ts";

export type GitService = "git-upload-pack" | "git-receive-pack";

export const isGitService = (name: string): name is GitService =>
  name === "git-upload-pack" || name === "git-receive-pack";

const pktLine = (text: string): string => (text.length + 4).toString(16).padStart(4, "0") + text;
const noCache = {
  "cache-control": "no-cache, max-age=0, must-revalidate",
  expires: "Fri, 01 Jan 1980 00:00:00 GMT",
  pragma: "no-cache",
};

function start(service: GitService, args: string[], directory: string, protocol: string | undefined) {
  // Only the version list that git itself writes is passed on.
  const env = protocol !== undefined && /^[a-z0-9=:.-]{1,64}$/.test(protocol) ? { GIT_PROTOCOL: protocol } : undefined;
  return spawn("git", [service.slice(4), "--stateless-rpc", ...args, directory], {
    env: gitEnvironment(env),
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** `GET /info/refs?service=…`: what the repository has. */
export async function advertiseRefs(
  service: GitService,
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const child = start(service, ["--advertise-refs"], directory, headerOf(request, "git-protocol"));
  child.stdin.end();
  child.stderr.resume();
  response.writeHead(200, { "content-type": `application/x-${service}-advertisement`, ...noCache });
  response.write(`${pktLine(`# service=${service}\n`)}0000`);
  await pipeline(child.stdout, response);
}

/** `POST /git-…-pack`: one exchange. Resolves with git's exit code once all is sent. */
export async function serveExchange(
  service: GitService,
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const child = start(service, [], directory, headerOf(request, "git-protocol"));
  const exited = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));
  child.stderr.resume();
  request.on("aborted", () => child.kill());
  response.writeHead(200, { "content-type": `application/x-${service}-result`, ...noCache });
  const body =
    headerOf(request, "content-encoding") === "gzip" ? [request, createGunzip(), child.stdin] : [request, child.stdin];
  // git may close its input early (it has seen enough); that is no fault of the exchange.
  const input = pipeline(body as [IncomingMessage, NodeJS.WritableStream]).catch(() => undefined);
  // The answer ends only after the caller has looked at the outcome: a client that saw the end may rely on it.
  await pipeline(child.stdout, response, { end: false });
  await input;
  return exited;
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}
