/** A client for a running cluster, by its kubeconfig. */
import type { KubeClient } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";

export interface Connection {
  client: KubeClient;
  close(): void;
}

export async function connect(kubeconfig: string): Promise<Connection> {
  const transport = httpsTransport(await loadKubeconfig(kubeconfig));
  return { client: createKubeClient(transport), close: () => transport.close() };
}
