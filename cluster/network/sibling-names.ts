/** Names of clusters of this machine, as pods call them: what of which cluster a host name stands for. */

export interface SiblingName {
  readonly cluster: string;
  /** Its API, or a host of its Routes, Ingresses and Gateways. */
  readonly part: "api" | "apps";
}

const API = /^api\.(?<cluster>[a-z0-9-]+)\.travelops\.(?:internal|localhost)$/;
const HOST = /^(?:[a-z0-9_-]+\.)+apps\.(?<cluster>[a-z0-9-]+)\.travelops\.(?:internal|localhost)$/;

/**
 * `api.NAME.travelops.internal` and `X.apps.NAME.travelops.internal`; or each below `localhost`, for programs that do not
 * take all such names for their own machine. In lower case, without the last dot.
 */
export function parseSiblingName(host: string): SiblingName | undefined {
  const api = API.exec(host)?.groups?.["cluster"];
  if (api !== undefined) return { cluster: api, part: "api" };
  const apps = HOST.exec(host)?.groups?.["cluster"];
  return apps === undefined ? undefined : { cluster: apps, part: "apps" };
}

/** The domain of a cluster's hosts as pods may say it: `apps.NAME.travelops.localhost` → `apps.NAME.travelops.internal`. */
export const internalDomain = (appsDomain: string): string => appsDomain.replace(/\.localhost$/, ".internal");

export const saidByPods = (hostname: string, appsDomain: string): boolean =>
  hostname.endsWith(`.${internalDomain(appsDomain)}`);

/** One name for a host of this cluster, however it is said: `X.apps.NAME.travelops.internal` is the one below `localhost`. */
export const canonicalHost = (hostname: string, appsDomain: string): string =>
  saidByPods(hostname, appsDomain) ? hostname.slice(0, -internalDomain(appsDomain).length) + appsDomain : hostname;
