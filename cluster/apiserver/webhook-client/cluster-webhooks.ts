/** The webhook client of one API server: Services from its store, pods through its nodes. Loaded with its first call. */
import type { Store } from "../../store/store.ts";
import type { NodeAccess } from "../api-server.ts";
import type { WebhookClient } from "./webhook-client.ts";

export interface ClusterWebhooksOptions {
  readonly store: Store;
  readonly nodeAccess: () => NodeAccess | undefined;
}

/** Connections are made and kept from the first call on; until then nothing is loaded. */
export function clusterWebhooks(options: ClusterWebhooksOptions): WebhookClient {
  let client: WebhookClient | undefined;
  let closed = false;
  const load = async (): Promise<WebhookClient> => {
    const { createWebhookClient } = await import("./webhook-client.ts");
    if (closed) throw new Error("the API server is closing");
    return (client ??= createWebhookClient({
      service: (namespace, name) => options.store.get({ table: "services.", namespace, name })?.object,
      dial: () => options.nodeAccess()?.dialAddress,
    }));
  };
  return {
    post: async (target, body, call) => (client ?? (await load())).post(target, body, call),
    close() {
      closed = true;
      client?.close();
    },
  };
}
