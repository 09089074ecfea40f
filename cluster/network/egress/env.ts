/** The proxy variables a pod gets where it has none of its own. */
import { clusterAddresses, EGRESS_PORT } from "../address.ts";

/** Upper and lower case, since programs disagree; what is in the cluster goes direct, other clusters through the proxy. */
export function egressEnv(cluster: {
  name: string;
  podRange: string;
  serviceRange: string;
  domain: string;
}): Record<string, string> {
  const proxy = `http://${clusterAddresses(cluster.podRange, cluster.serviceRange).gateway}:${EGRESS_PORT}`;
  const direct = [
    "localhost",
    "127.0.0.1",
    "::1",
    cluster.podRange,
    cluster.serviceRange,
    ".svc",
    `.${cluster.domain}`,
    `.apps.${cluster.name}.travelops.localhost`,
    `.apps.${cluster.name}.travelops.internal`,
  ].join(",");
  return variables(proxy, direct);
}

/**
 * In the bare sandbox a pod's programs have the machine's own network, and only those of Node know the cluster's names
 * (by the preload): others, such as git, find them through the proxy.
 */
export const bareEgressEnv = (port: number): Record<string, string> =>
  variables(`http://127.0.0.1:${port}`, "localhost,127.0.0.1,::1,.localhost");

const variables = (proxy: string, direct: string): Record<string, string> => ({
  HTTP_PROXY: proxy,
  HTTPS_PROXY: proxy,
  NO_PROXY: direct,
  http_proxy: proxy,
  https_proxy: proxy,
  no_proxy: direct,
});
