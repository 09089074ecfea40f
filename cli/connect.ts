/** A client for a running cluster, by its kubeconfig. */
import type { KubeClient } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";

export interface Connection {
  client: KubeClient;
  close(): void;
}

export function connect(kubeconfig: string): Connection {
  const transport = httpsTransport(loadKubeconfig(kubeconfig));
  return { client: createKubeClient(transport), close: () => transport.close() };
}
