/** How a pod reaches the API of its own cluster. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HttpsTransportOptions } from "./https-transport.ts";

export const SERVICE_ACCOUNT_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface ClientConfig extends HttpsTransportOptions {
  /** The namespace that commands use where none is given. */
  namespace: string;
}

/** From the environment and the mounted ServiceAccount; throws where this process is no pod. */
export function inClusterConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
  mount: string = env["TRAVELOPS_SERVICE_ACCOUNT_MOUNT"] ?? SERVICE_ACCOUNT_MOUNT,
): ClientConfig {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined || host === "") {
    throw new Error("not in a cluster: KUBERNETES_SERVICE_HOST is not set; give a kubeconfig instead");
  }
  const read = (file: string): string => {
    try {
      return readFileSync(join(mount, file), "utf8");
    } catch (error) {
      throw new Error(`not in a cluster: cannot read ${join(mount, file)} of the ServiceAccount`, {
        cause: error,
      });
    }
  };
  read("token");
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: read("ca.crt"),
    tokenFile: join(mount, "token"),
    namespace: read("namespace").trim(),
  };
}
