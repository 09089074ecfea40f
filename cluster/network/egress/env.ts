/** The proxy variables a pod gets where it has none of its own. */
import { clusterAddresses, EGRESS_PORT } from "../address.ts";

/** Upper and lower case, since programs disagree; what is in the cluster goes direct. */
export function egressEnv(cluster: {
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
    ".localhost",
  ].join(",");
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    NO_PROXY: direct,
    http_proxy: proxy,
    https_proxy: proxy,
    no_proxy: direct,
  };
}
