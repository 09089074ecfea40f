/**
 * The API that a component's tests run against: the embedded server, or with KUBEBUILDER_ASSETS set (a folder
 * with `kube-apiserver` and `etcd`) the real one. The tests are the same.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KubeClient, Transport } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { type RealApiServerOptions, startRealApiServer } from "./real-api-server.ts";

export interface ApiUnderTest {
  /** Acts as cluster-admin. */
  readonly client: KubeClient;
  readonly transport: Transport;
  /** Path of a kubeconfig for outside programs. */
  readonly kubeconfig: string;
  /** Whether this is kube-apiserver. */
  readonly real: boolean;
  close(): Promise<void>;
}

export interface StartedApi extends ApiUnderTest {
  /** Drops the history: what was is no longer known. The embedded one has to be `forgetful`, and makes Leases. */
  forget(): Promise<void>;
}

/** Starts the API under test; `close()` takes it down whole. The embedded one always asks for ServiceAccounts. */
export async function startApiUnderTest(options: ApiOptions = {}): Promise<StartedApi> {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  return assets === undefined || assets === "" ? embedded(options) : real(assets, options);
}

export interface ApiOptions extends RealApiServerOptions {
  /** Little history is kept. */
  readonly forgetful?: boolean;
}

async function real(assets: string, options: RealApiServerOptions): Promise<StartedApi> {
  const server = await startRealApiServer(assets, options);
  const transport = httpsTransport({ server: server.server, ca: server.ca, token: server.token });
  const kubeconfig = join(server.directory, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText(server.server, server.ca, server.token), { mode: 0o600 });
  return {
    client: createKubeClient(transport),
    transport,
    kubeconfig,
    real: true,
    forget: () => server.compact(),
    async close() {
      transport.close();
      await server.close();
    },
  };
}

const KEPT_REVISIONS = 10;
const LEASES = { group: "coordination.k8s.io", version: "v1", resource: "leases", kind: "Lease", namespaced: true };

/** Over HTTPS as well: a component meets its API over the wire. */
async function embedded({ forgetful = false }: ApiOptions): Promise<StartedApi> {
  const { startTestServer } = await import("@travelops/cluster/apiserver/testing/start-test-server");
  const server = await startTestServer(forgetful ? { revisions: KEPT_REVISIONS } : {});
  const transport = httpsTransport({ server: server.url, ca: server.caData, token: server.adminToken });
  const kubeconfig = join(server.dir, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText(server.url, server.caData, server.adminToken), { mode: 0o600 });
  const client = createKubeClient(transport);
  return {
    client,
    transport,
    kubeconfig,
    real: false,
    async forget() {
      const until = server.store.revision;
      await eventually(async () => {
        const lease = {
          apiVersion: "coordination.k8s.io/v1",
          kind: "Lease",
          metadata: { generateName: "forget-", namespace: "default" },
        };
        await client.create(LEASES, lease);
        return server.store.compactedRevision >= until;
      });
    },
    async close() {
      transport.close();
      await server.close();
    },
  };
}

function kubeconfigText(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name: "admin", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin", namespace: "default" } }],
  });
}

/** Polls until `probe` gives something, or throws what it last threw: for what a user would wait for. */
export async function eventually<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`nothing came within ${timeoutMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
