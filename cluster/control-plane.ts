/** Store, keys, access and API server of one cluster: what answers before any pod runs. */
import { randomUUID } from "node:crypto";
import path from "node:path";
import type { Clock, Logger } from "@travelops/kube";
import { createAccessControl } from "./apiserver/access-control.ts";
import type { ApiServer } from "./apiserver/api-server.ts";
import { bootstrapPolicy } from "./apiserver/authorization/bootstrap-policy.ts";
import { createApiServer } from "./apiserver/create-api-server.ts";
import { openPki, type ClusterPki } from "./apiserver/pki/cluster-pki.ts";
import type { Upgrade } from "./apiserver/server-options.ts";
import type { AddressPlan } from "./address-plan.ts";
import { openStore } from "./store/open-store.ts";
import type { Store } from "./store/store.ts";

export interface ControlPlaneOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly plan: AddressPlan;
  readonly host: string;
  readonly apiPort: number;
  readonly upgrade?: Upgrade;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface ControlPlane {
  readonly server: ApiServer;
  readonly store: Store;
  readonly pki: ClusterPki;
  readonly port: number;
  close(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { name, dataDir, plan, clock, random, log } = options;
  const store = await openStore({ dir: path.join(dataDir, "store"), clock, log });
  try {
    const pki = await openPki({
      dir: path.join(dataDir, "pki"),
      clock,
      clusterName: name,
      serviceAddress: plan.apiService,
      serverNames: ["localhost", options.host, plan.gateway],
    });
    const access = createAccessControl({
      store,
      clock,
      random,
      uuid: randomUUID,
      clientCa: pki.ca,
      tokenKey: pki.tokenKey,
    });
    await bootstrapPolicy(store, clock, randomUUID);
    const server = await createApiServer({
      store,
      access,
      clock,
      random,
      log,
      tls: { cert: pki.serving.cert, key: pki.serving.key, clientCa: pki.ca },
      serviceRange: plan.serviceRange,
      advertise: { address: plan.gateway, port: INNER_API_PORT },
      clientCaBundle: pki.ca,
      ...(options.upgrade === undefined ? {} : { upgrade: options.upgrade }),
    });
    const port = await server.listen(options.host, options.apiPort);
    return {
      server,
      store,
      pki,
      port,
      async close() {
        await server.close();
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
