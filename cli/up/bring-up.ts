/** From an API that answers to a pattern that is synced and healthy: components, Git, Applications. */
import path from "node:path";
import type { KubeClient } from "@travelops/kube";
import {
  applyRootApplication,
  installComponents,
  refreshApplications,
  IN_CLUSTER_REPO_URL,
  seed,
  waitForGitServer,
  writeGitCredentials,
} from "../bootstrap/install.ts";
import { ensureRemoteCredentials } from "../bootstrap/secrets.ts";
import { BRANCH, type PatternSource } from "../bootstrap/root-application.ts";
import { summarize, waitForApplications } from "../bootstrap/wait-applications.ts";
import type { Ports } from "../clusters/settings.ts";
import { connect } from "../connect.ts";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { timedOut } from "../errors.ts";
import { collectUrls } from "../status/urls.ts";
import { terminalOf, type Steps } from "../terminal/steps.ts";
import { farewell } from "../terminal/farewell.ts";
import type { ResolvedPattern } from "./options.ts";

export interface BringUp {
  context: CliContext;
  dir: DataDir;
  steps: Steps;
  git: string;
  source: ResolvedPattern;
  timeoutMs: number;
  ports: Ports;
  kubeconfig: string;
  json: boolean;
}

export async function bringUpPattern(work: BringUp): Promise<void> {
  const { context, steps, ports, dir } = work;
  const deadline = AbortSignal.timeout(work.timeoutMs);
  const signal = AbortSignal.any([deadline, context.stop]);
  const connection = connect(work.kubeconfig);
  const { client } = connection;
  let waitingFor = "the components";
  try {
    const repoUrl = work.source.kind === "url" ? work.source.url : IN_CLUSTER_REPO_URL;
    const credentials = await steps.run(
      "Components",
      () => installComponents(client, IN_CLUSTER_REPO_URL, signal),
      () => "git-server, gitops",
    );
    waitingFor = "the git-server";
    const server = await steps.run(
      "Git server",
      () => waitForGitServer(client, ports, context.wait, signal),
      (row) => row.url,
    );
    await writeGitCredentials(dir, credentials, [server.url, server.local]);
    if (work.source.kind === "directory") {
      const { directory } = work.source;
      await steps.run(
        "Repository",
        () => seed(work.git, server.local, credentials, directory, signal),
        (result) =>
          result.state === "seeded"
            ? `seeded from ${path.relative(context.cwd, directory) || directory}`
            : "as it was left",
      );
    }
    if (work.source.kind === "url" && work.source.credentials !== undefined)
      await ensureRemoteCredentials(client, work.source.url, work.source.credentials);
    const pattern: PatternSource = {
      repoUrl,
      revision: work.source.kind === "url" ? work.source.revision : BRANCH,
    };
    await applyRootApplication(client, pattern, context.wait, signal);
    await refreshApplications(client, signal);
    waitingFor = "the applications";
    await steps.run(
      "Applications",
      async (update) => {
        const seen = await waitForApplications(
          client,
          "pattern",
          (detail) => {
            waitingFor = detail;
            update(detail);
          },
          signal,
        );
        signal.throwIfAborted();
        return seen;
      },
      (objects) => summarize(objects.values()),
    );
    await sayDone(work, client, server.url);
  } catch (error) {
    if (deadline.aborted && !context.stop.aborted)
      throw timedOut("bringing the pattern up", work.timeoutMs / 1000, waitingFor);
    throw error;
  } finally {
    connection.close();
  }
}

async function sayDone(work: BringUp, client: KubeClient, gitUrl: string): Promise<void> {
  const urls = await collectUrls(client, work.ports);
  if (work.json) {
    work.context.stdout(`${JSON.stringify({ event: "ready", kubeconfig: work.dir.kubeconfig, urls })}\n`);
    return;
  }
  work.context.stderr.write(
    farewell({
      urls,
      kubeconfig: work.dir.kubeconfig,
      gitUrl,
      gitCredentials: work.dir.gitCredentials,
      color: terminalOf(work.context.stderr, work.context.env).color,
      inCluster: work.source.kind === "directory",
    }),
  );
}
