/** Rows of the dataplane's config, short to write in tests. */
import type {
  EndpointConfig,
  FrontConfig,
  HostConfig,
  HttpMatch,
  HttpRule,
  PodConfig,
  ServiceConfig,
  WeightedBackend,
} from "../config.ts";

export const endpoint = (ip: string, port: number, extra: Partial<EndpointConfig> = {}): EndpointConfig => ({
  ip,
  port,
  ready: true,
  ...extra,
});

export function service(
  key: string,
  clusterIP: string,
  port: number,
  endpoints: readonly EndpointConfig[],
  extra: Partial<ServiceConfig> = {},
): ServiceConfig {
  const [namespace = "", name = ""] = key.split("/");
  return {
    namespace,
    name,
    clusterIPs: clusterIP === "" ? [] : [clusterIP],
    headless: false,
    publishNotReady: false,
    ports: [{ name: "http", port, protocol: "TCP", endpoints }],
    ...extra,
  };
}

export function pod(ip: string, key: string): PodConfig {
  const [namespace = "", name = ""] = key.split("/");
  return { ip, namespace, name, uid: name, serviceAccount: "default", node: "node-1", labels: {} };
}

export const match = (extra: Partial<HttpMatch> = {}): HttpMatch => ({
  path: { type: "PathPrefix", value: "/" },
  headers: [],
  query: [],
  ...extra,
});

export const to = (
  serviceName: string,
  port: number,
  extra: Partial<Extract<WeightedBackend, { kind: "service" }>> = {},
): WeightedBackend => ({
  kind: "service",
  weight: 1,
  target: { service: serviceName, port, protocol: "http" },
  filters: [],
  ...extra,
});

export const rule = (backends: readonly WeightedBackend[], extra: Partial<HttpRule> = {}): HttpRule => ({
  match: match(),
  filters: [],
  backends,
  ...extra,
});

export const host = (hostname: string, rules: readonly HttpRule[], extra: Partial<HostConfig> = {}): HostConfig => ({
  hostname,
  http: "serve",
  https: "serve",
  rules,
  ...extra,
});

export function front(owner: string, hosts: readonly HostConfig[], created = 0): FrontConfig {
  const [, namespace = "", name = ""] = owner.split("/");
  return { owner, namespace, name, created, hosts };
}
