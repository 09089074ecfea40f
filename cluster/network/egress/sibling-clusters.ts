/** Clusters of this machine by the names they have for pods: where pods of one find the API and the hosts of another. */
import { parseRange, SIBLING_RANGE } from "../address.ts";
import type { SiblingAddress } from "../config.ts";
import { parseSiblingName } from "../sibling-names.ts";

/** Where a cluster is served on 127.0.0.1. */
export interface ClusterPorts {
  readonly api: number;
  readonly http: number;
  readonly https: number;
}

export interface KnownCluster {
  /** Decides the addresses it has for pods. */
  readonly index: number;
  readonly ports: ClusterPorts;
}

export type FindSibling = (host: string) => SiblingAddress | undefined;

const range = parseRange(SIBLING_RANGE);
const PER_CLUSTER = 256;
const [API_ADDRESS, APPS_ADDRESS] = [1, 2];
const [HTTP, HTTPS, API] = [80, 443, 6443];

/**
 * The API at 6443 and 443, hosts at 80 and 443; or each at the port it has on this machine, which redirects may name.
 * `clusterOf` is asked each time: clusters come and go.
 */
export function siblingClusters(clusterOf: (name: string) => KnownCluster | undefined): FindSibling {
  return (host) => {
    const name = parseSiblingName(host.toLowerCase().replace(/\.$/, ""));
    const known = name === undefined ? undefined : clusterOf(name.cluster);
    if (name === undefined || known === undefined) return undefined;
    const { api, http, https } = known.ports;
    const base = known.index * PER_CLUSTER;
    return name.part === "api"
      ? { address: range.at(base + API_ADDRESS), ports: { [api]: api, [HTTPS]: api, [API]: api } }
      : {
          address: range.at(base + APPS_ADDRESS),
          ports: { [http]: http, [https]: https, [HTTP]: http, [HTTPS]: https },
        };
  };
}
