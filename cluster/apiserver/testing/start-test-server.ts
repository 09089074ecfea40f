/** A whole API server in a directory of its own, for tests: real store, real keys, real TLS. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeClient } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger, type Logger } from "@travelops/kube/api/logger";
import { openStore } from "../../store/open-store.ts";
import type { Store } from "../../store/store.ts";
import type { ApiServer, UserInfo } from "../api-server.ts";
import { createApiServer } from "../create-api-server.ts";
import { openPki } from "../pki/cluster-pki.ts";
import type { ApiServerOptions } from "../server-options.ts";
import { createAccessControl } from "../access-control.ts";
import { randomBytes, randomUUID } from "node:crypto";

export interface TestServer {
  readonly server: ApiServer;
  readonly store: Store;
  /** In the process, as `user`; an administrator where absent. */
  client(user?: UserInfo): KubeClient;
  readonly url: string;
  /** PEM of the CA. */
  readonly caData: string;
  /** A bearer token of an administrator. */
  readonly adminToken: string;
  readonly dir: string;
  close(): Promise<void>;
}

const ADMIN: UserInfo = { name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };

export interface TestServerOptions extends Partial<ApiServerOptions> {
  readonly log?: Logger;
  /** Pods need one; the controller that makes it does not run here. Made where absent. */
  readonly defaultServiceAccount?: boolean;
  /** How many revisions are remembered; 10,000 where absent. */
  readonly revisions?: number;
}

async function makeDefaultServiceAccount(server: ApiServer): Promise<void> {
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: "default" } };
  await server
    .clientFor(ADMIN)
    .create(
      { group: "", version: "v1", resource: "serviceaccounts", kind: "ServiceAccount", namespaced: true },
      account,
    );
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), "travelops-apiserver-"));
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const pki = await openPki({
    dir: join(dir, "pki"),
    clock,
    clusterName: "test",
    serviceAddress: "10.64.0.1",
    serverNames: ["localhost", "127.0.0.1"],
  });
  const store = await openStore({
    dir: join(dir, "store"),
    clock,
    log,
    ...(options.revisions === undefined ? {} : { retention: { ms: 3_600_000, revisions: options.revisions } }),
  });
  const adminToken = randomBytes(16).toString("hex");
  const access =
    options.access ??
    createAccessControl({
      store,
      clock,
      random: Math.random,
      uuid: randomUUID,
      clientCa: pki.ca,
      tokenKey: pki.tokenKey,
      staticTokens: [{ token: adminToken, user: ADMIN }],
    });
  const server = await createApiServer({
    store,
    clock,
    random: Math.random,
    serviceRange: "10.64.0.0/16",
    ...options,
    log,
    access,
    tls: { cert: pki.serving.cert, key: pki.serving.key, clientCa: pki.ca },
  });
  if (options.defaultServiceAccount !== false) await makeDefaultServiceAccount(server);
  const port = await server.listen("127.0.0.1", 0);
  return {
    server,
    store,
    client: (user = ADMIN) => server.clientFor(user),
    url: `https://127.0.0.1:${port}`,
    caData: pki.ca,
    adminToken,
    dir,
    async close() {
      await server.close();
      access.close();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
