/** Clusters of this machine by the names they have outside, so that pods of one reach the API and hosts of another. */

/** Where a cluster is served on 127.0.0.1. */
export interface ClusterPorts {
  readonly api: number;
  readonly http: number;
  readonly https: number;
}

export type AddressMap = (host: string, port: number) => { host: string; port: number } | undefined;

const API = /^api\.(?<cluster>[a-z0-9-]+)\.travelops\.(?:internal|localhost)$/;
const HOST = /^(?:[a-z0-9-]+\.)+apps\.(?<cluster>[a-z0-9-]+)\.travelops\.localhost$/;
const API_PORT = 6443;

/**
 * `api.NAME.travelops.internal` at 6443, and, for clients that send names below `localhost` to a proxy at all, hosts below
 * `apps.NAME.travelops.localhost` at 80 and 443; or each at the port it has on this machine. `portsOf` is asked at each
 * connection: clusters come and go.
 */
export function siblingClusters(portsOf: (cluster: string) => ClusterPorts | undefined): AddressMap {
  const there = (cluster: string | undefined, served: (ports: ClusterPorts) => number[][], port: number) => {
    const ports = cluster === undefined ? undefined : portsOf(cluster);
    const found = ports === undefined ? undefined : served(ports).find((known) => known.includes(port))?.[1];
    return found === undefined ? undefined : { host: "127.0.0.1", port: found };
  };
  return (name, port) => {
    const host = name.toLowerCase();
    return (
      there(API.exec(host)?.groups?.["cluster"], ({ api }) => [[API_PORT, api]], port) ??
      there(
        HOST.exec(host)?.groups?.["cluster"],
        ({ http, https }) => [
          [80, http],
          [443, https],
        ],
        port,
      )
    );
  };
}
