/** Flags and start. See README.md for what it serves. */
import { setTimeout as wait } from "node:timers/promises";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { createLogger } from "@travelops/kube/api/logger";
import { mountedAt } from "@travelops/kube/api/mounts";
import { mountedCredentials } from "./credentials.ts";
import { announcePush, pushPayload, type WebhookTarget } from "./push-webhook.ts";
import { Repositories, type RefUpdate, type RepositoryName } from "./repositories.ts";
import { createGitServer } from "./server.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "3000" },
    data: { type: "string", default: "/data" },
    credentials: { type: "string", default: "/etc/git-server/credentials" },
    "webhook-url": { type: "string" },
    "webhook-secret-file": { type: "string" },
    "clone-base": { type: "string", default: "http://git-server.gitops.svc.cluster.local" },
  },
});

const log = createLogger({
  name: "git-server",
  level: "info",
  write: (line) => void process.stdout.write(line),
});
const stop = new AbortController();
const repositories = new Repositories(mountedAt(values.data));

async function webhookTarget(): Promise<WebhookTarget | undefined> {
  if (values["webhook-url"] === undefined) return undefined;
  const file = values["webhook-secret-file"];
  const secret = file === undefined ? undefined : (await readFile(mountedAt(file), "utf8")).trim();
  return {
    url: values["webhook-url"],
    cloneBase: values["clone-base"],
    ...(secret === undefined ? {} : { secret }),
  };
}

async function announce(repository: RepositoryName, updates: RefUpdate[]): Promise<void> {
  const target = await webhookTarget();
  if (target === undefined) return;
  const branch = await repositories.defaultBranch(repository);
  const deps = {
    fetch,
    wait: (ms: number, signal: AbortSignal) => wait(ms, undefined, { signal }),
    log: (message: string, fields: Record<string, unknown>) => log.warn(message, fields),
    signal: stop.signal,
  };
  await Promise.all(
    updates.map((update) => announcePush(target, pushPayload(repository, update, target.cloneBase, branch), deps)),
  );
}

const server = createGitServer({
  repositories,
  check: mountedCredentials(mountedAt(values.credentials)),
  onPush: (repository, updates) => {
    log.info("pushed", {
      repository: `${repository.owner}/${repository.name}`,
      refs: updates.map((update) => update.ref),
    });
    announce(repository, updates).catch((error: unknown) =>
      log.error("announcing a push failed", { error: String(error) }),
    );
  },
  log: (message, fields) => log.error(message, fields),
});

server.listen(Number(values.port), () => log.info("serving", { port: Number(values.port), data: values.data }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    stop.abort();
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
