/**
 * Tells whoever follows a repository that it was pushed to, in the form of Gitea's push webhook
 * (which Argo CD's /api/webhook reads). Best effort with a few tries: a follower also compares by itself.
 */
import { createHmac } from "node:crypto";
import type { RefUpdate, RepositoryName } from "./repositories.ts";

export interface WebhookTarget {
  url: string;
  /** Shared secret for the signature; absent: unsigned. */
  secret?: string;
  /** The URL clients clone from, without the repository's path. */
  cloneBase: string;
}

export interface WebhookDeps {
  fetch: typeof fetch;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  log: (message: string, fields: Record<string, unknown>) => void;
  signal: AbortSignal;
}

const TRIES = 4;

export function pushPayload(
  repository: RepositoryName,
  update: RefUpdate,
  cloneBase: string,
  defaultBranch: string,
): object {
  const full = `${repository.owner}/${repository.name}`;
  const html = `${cloneBase.replace(/\/$/, "")}/${full}`;
  return {
    ref: update.ref,
    before: update.before,
    after: update.after,
    commits: [],
    repository: {
      name: repository.name,
      full_name: full,
      html_url: html,
      clone_url: `${html}.git`,
      default_branch: defaultBranch,
      owner: { login: repository.owner },
    },
  };
}

export async function announcePush(target: WebhookTarget, payload: object, deps: WebhookDeps): Promise<void> {
  const body = JSON.stringify(payload);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "x-gitea-event": "push",
    "x-gogs-event": "push",
    "x-github-event": "push",
  };
  if (target.secret !== undefined) {
    const signature = createHmac("sha256", target.secret).update(body).digest("hex");
    headers["x-gitea-signature"] = signature;
    headers["x-gogs-signature"] = signature;
    headers["x-hub-signature-256"] = `sha256=${signature}`;
  }
  for (let attempt = 0; attempt < TRIES && !deps.signal.aborted; attempt++) {
    try {
      const response = await deps.fetch(target.url, {
        method: "POST",
        headers,
        body,
        signal: AbortSignal.any([deps.signal, AbortSignal.timeout(5000)]),
      });
      await response.arrayBuffer();
      if (response.ok) return;
      deps.log("push webhook refused", { status: response.status, attempt });
    } catch (error) {
      deps.log("push webhook failed", { error: String(error), attempt });
    }
    await deps.wait(200 * 3 ** attempt, deps.signal).catch(() => undefined);
  }
}
