/** Store, keys, access and API server of one cluster: what answers before any pod runs. */
import { randomUUID } from "node:crypto";
import path from "node:path";
import type { Clock, Logger } from "@travelops/kube";
import { createAccessControl } from "./apiserver/access-control.ts";
import { openAudit } from "./apiserver/audit/open-audit.ts";
import type { ApiServer, NodeAccess } from "./apiserver/api-server.ts";
import { createApiServer } from "./apiserver/create-api-server.ts";
import { openPki, type ClusterPki } from "./apiserver/pki/cluster-pki.ts";
import { validateBuiltin } from "./apiserver/validation/validate-builtin.ts";
import { clusterAddresses } from "./network/address.ts";
import { openStore } from "./store/open-store.ts";
import type { Store } from "./store/store.ts";

export interface ControlPlaneOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly podRange: string;
  readonly serviceRange: string;
  readonly host: string;
  readonly apiPort: number;
  readonly auditPolicy?: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface ControlPlane {
  readonly server: ApiServer;
  readonly store: Store;
  readonly pki: ClusterPki;
  readonly port: number;
  /** From now on logs, exec and port-forward reach the pods. */
  setNodeAccess(access: NodeAccess): void;
  close(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { name, dataDir, podRange, serviceRange, clock, random, log } = options;
  const addresses = clusterAddresses(podRange, serviceRange);
  const store = await openStore({ dir: path.join(dataDir, "store"), clock, log });
  try {
    const pki = await openPki({
      dir: path.join(dataDir, "pki"),
      clock,
      clusterName: name,
      serviceAddress: addresses.api,
      serverNames: ["localhost", options.host, addresses.gateway],
    });
    const access = createAccessControl({
      store,
      clock,
      random,
      uuid: randomUUID,
      clientCa: pki.ca,
      tokenKey: pki.tokenKey,
    });
    const audit = await openAudit({
      dir: dataDir,
      ...(options.auditPolicy === undefined ? {} : { sharedPolicy: options.auditPolicy }),
      clock,
      log,
    });
    const server = await createApiServer({
      ...(audit === undefined ? {} : { audit }),
      store,
      access,
      clock,
      random,
      log,
      tls: { cert: pki.serving.cert, key: pki.serving.key, clientCa: pki.ca },
      serviceRange,
      advertise: { address: addresses.gateway, port: INNER_API_PORT },
      clientCaBundle: pki.ca,
      frontProxy: pki.frontProxy,
      validate: validateBuiltin,
    });
    const port = await server.listen(options.host, options.apiPort);
    return {
      server,
      store,
      pki,
      port,
      setNodeAccess: (access) => server.setNodeAccess(access),
      async close() {
        await server.close();
        await audit?.close();
        access.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Where the API listens on the bridge; the Service `default/kubernetes` leads there. */
export const INNER_API_PORT = 6443;
