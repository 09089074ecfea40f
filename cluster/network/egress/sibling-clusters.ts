/** Clusters of this machine by the names they have outside, so that pods of one reach the API and hosts of another. */

/** Where a cluster is served on 127.0.0.1. */
export interface ClusterPorts {
  readonly api: number;
  readonly http: number;
  readonly https: number;
}

export type AddressMap = (host: string, port: number) => { host: string; port: number } | undefined;

const NAME =
  /^(?:(?<api>api)|(?:[a-z0-9-]+\.)*apps)\.(?<cluster>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.travelops\.localhost$/;
const API_PORT = 6443;

/**
 * `api.NAME.travelops.localhost` and hosts below `apps.NAME.travelops.localhost`, at the ports a real cluster has (6443,
 * 80, 443) or at those it has on this machine. `portsOf` is asked at each connection: clusters come and go.
 */
export function siblingClusters(portsOf: (cluster: string) => ClusterPorts | undefined): AddressMap {
  return (host, port) => {
    const { cluster, api } = NAME.exec(host.toLowerCase())?.groups ?? {};
    const ports = cluster === undefined ? undefined : portsOf(cluster);
    if (ports === undefined) return undefined;
    const served =
      api === undefined
        ? [
            [80, ports.http],
            [443, ports.https],
          ]
        : [[API_PORT, ports.api]];
    const found = served.find((known) => known.includes(port));
    return found?.[1] === undefined ? undefined : { host: "127.0.0.1", port: found[1] };
  };
}
