/** What `up` puts into a fresh hub: the components' manifests, their secrets, the seeded repository, the root Application. */
import { isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { writeFile } from "node:fs/promises";
import type { DataDir } from "../data-dir.ts";
import { collectUrls, type UrlRow } from "../status/urls.ts";
import { APPLICATIONS, REFRESH } from "../status/applications.ts";
import { listApplications } from "../status/collect.ts";
import { applyManifests, componentManifests, FIELD_MANAGER } from "./manifests.ts";
import {
  BRANCH,
  GITOPS_NAMESPACE,
  REPOSITORY,
  rootApplication,
  IN_CLUSTER_REPO_URL,
  type PatternSource,
} from "./root-application.ts";
import { ensureGitSecrets, type GitCredentials } from "./secrets.ts";
import { seedRepository, type SeedResult } from "./seed-repository.ts";

const COMPONENTS = ["git-server", "gitops"] as const;
const NAMESPACES = ["gitops", GITOPS_NAMESPACE] as const;

const namespace = (name: string): KubeObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

/** Secrets first, so that no pod waits for its volumes. */
export async function installComponents(
  client: KubeClient,
  repoUrl: string,
  signal: AbortSignal,
): Promise<GitCredentials> {
  await applyManifests(client, NAMESPACES.map(namespace), signal);
  const credentials = await ensureGitSecrets(client, repoUrl);
  for (const component of COMPONENTS) await applyManifests(client, await componentManifests(component), signal);
  return credentials;
}

/** The git-server's Route, once a pod behind it answers. */
export async function waitForGitServer(
  client: KubeClient,
  ingress: { http: number; https: number },
  wait: (ms: number, signal?: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<UrlRow & { local: string }> {
  for (;;) {
    signal.throwIfAborted();
    const row = (await collectUrls(client, ingress)).find((each) => each.namespace === "gitops" && each.name === "git");
    if (row?.local !== undefined && (await answers(`${row.local}/healthz`))) return { ...row, local: row.local };
    await wait(50, signal);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

export function seed(
  git: string,
  server: string,
  credentials: GitCredentials,
  directory: string,
  signal: AbortSignal,
): Promise<SeedResult> {
  return seedRepository({
    git,
    server,
    credentials,
    directory,
    repository: REPOSITORY,
    branch: BRANCH,
    signal,
  });
}

/** For `git -c credential.helper='store --file=…'`: the user's own git, without a password on a command line. */
export async function writeGitCredentials(
  dir: DataDir,
  credentials: GitCredentials,
  urls: readonly string[],
): Promise<void> {
  const lines = urls.map((url) => {
    const parsed = new URL(url);
    return `${parsed.protocol}//${credentials.username}:${credentials.password}@${parsed.host}\n`;
  });
  await writeFile(dir.gitCredentials, lines.join(""), { mode: 0o600 });
}

/** The gitops component installs its CRD when it starts: until then the kind is not served. */
export async function applyRootApplication(
  client: KubeClient,
  source: PatternSource,
  wait: (ms: number, signal?: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await client.apply(APPLICATIONS, rootApplication(source), {
        fieldManager: FIELD_MANAGER,
        force: true,
        signal,
      });
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await wait(50, signal);
    }
  }
}

/**
 * What the Applications say may be from before the cluster stopped: each is asked to look again, and counts only once
 * it has (the engine takes the annotation away).
 */
export async function refreshApplications(client: KubeClient, signal: AbortSignal): Promise<void> {
  const patch = { metadata: { annotations: { [REFRESH]: "normal" } } };
  for (const { metadata } of await listApplications(client)) {
    const { namespace = "", name = "" } = metadata;
    await client.patch(APPLICATIONS, namespace, name, "application/merge-patch+json", patch, { signal });
  }
}

export { IN_CLUSTER_REPO_URL };
