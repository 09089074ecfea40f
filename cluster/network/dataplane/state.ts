/** The dataplane's tables with the lookups that DNS, Services and the ingress need. */
import { clusterAddresses, parseRange, type ClusterAddresses, type Range } from "../address.ts";
import type {
  DataplaneSettings,
  Delta,
  FrontConfig,
  PodConfig,
  PolicyConfig,
  ServiceConfig,
  ServicePortConfig,
} from "../config.ts";

export interface ServicePort {
  readonly service: ServiceConfig;
  readonly port: ServicePortConfig;
}

const NODE_SUFFIX = ".1";

export class DataplaneState {
  readonly settings: DataplaneSettings;
  readonly addresses: ClusterAddresses;
  readonly podRange: Range;
  readonly serviceRange: Range;
  readonly services = new Map<string, ServiceConfig>();
  readonly pods = new Map<string, PodConfig>();
  readonly fronts = new Map<string, FrontConfig>();
  readonly policies = new Map<string, PolicyConfig>();
  readonly #byClusterIP = new Map<string, ServiceConfig>();
  readonly #namespaces = new Map<string, number>();
  readonly #endpointNames = new Map<string, Map<string, string>>();

  constructor(settings: DataplaneSettings) {
    this.settings = settings;
    this.addresses = clusterAddresses(settings.podRange, settings.serviceRange);
    this.podRange = parseRange(settings.podRange);
    this.serviceRange = parseRange(settings.serviceRange);
  }

  apply(delta: Delta): void {
    for (const [key, service] of Object.entries(delta.services ?? {})) this.#setService(key, service);
    for (const [ip, pod] of Object.entries(delta.pods ?? {})) setOrDelete(this.pods, ip, pod);
    for (const [key, front] of Object.entries(delta.fronts ?? {})) setOrDelete(this.fronts, key, front);
    for (const [key, policy] of Object.entries(delta.policies ?? {})) setOrDelete(this.policies, key, policy);
  }

  #setService(key: string, next: ServiceConfig | null): void {
    const old = this.services.get(key);
    if (old !== undefined) {
      for (const ip of old.clusterIPs) if (this.#byClusterIP.get(ip) === old) this.#byClusterIP.delete(ip);
      this.#countNamespace(old.namespace, -1);
      this.#nameEndpoints(key, old, false);
    }
    setOrDelete(this.services, key, next);
    if (next === null) return;
    for (const ip of next.clusterIPs) this.#byClusterIP.set(ip, next);
    this.#countNamespace(next.namespace, 1);
    this.#nameEndpoints(key, next, true);
  }

  #countNamespace(namespace: string, by: number): void {
    const count = (this.#namespaces.get(namespace) ?? 0) + by;
    if (count <= 0) this.#namespaces.delete(namespace);
    else this.#namespaces.set(namespace, count);
  }

  #nameEndpoints(key: string, service: ServiceConfig, add: boolean): void {
    for (const port of service.ports) {
      for (const endpoint of port.endpoints) {
        if (!endpoint.ready && !service.publishNotReady) continue;
        const names = this.#endpointNames.get(endpoint.ip) ?? new Map<string, string>();
        if (add) names.set(key, endpointLabel(endpoint));
        else names.delete(key);
        if (names.size > 0) this.#endpointNames.set(endpoint.ip, names);
        else this.#endpointNames.delete(endpoint.ip);
      }
    }
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  serviceAt(ip: string): ServiceConfig | undefined {
    return this.#byClusterIP.get(ip);
  }

  servicePort(key: string, port: number, protocol: "TCP" | "UDP" = "TCP"): ServicePort | undefined {
    const service = this.services.get(key);
    const found = service?.ports.find((p) => p.port === port && p.protocol === protocol);
    return service === undefined || found === undefined ? undefined : { service, port: found };
  }

  /** Whether an address is a node's: each has a /24 of the pods' range, and the first address of it. */
  isNodeAddress(ip: string): boolean {
    return ip.endsWith(NODE_SUFFIX) && this.podRange.contains(ip);
  }

  /** The Service whose port of every node this is; with externalTrafficPolicy Local, of that node's endpoints only. */
  #nodePortAt(ip: string, port: number, protocol: "TCP" | "UDP"): ServicePort | undefined {
    if (!this.isNodeAddress(ip)) return undefined;
    for (const service of this.services.values()) {
      const found = service.ports.find((p) => p.nodePort === port && p.protocol === protocol);
      if (found === undefined) continue;
      // Which node's pods may answer is this port's matter, not that of the ClusterIP's policy.
      const { local: _local, ...rest } = service;
      if (service.externalLocal !== true) return { service: rest, port: found };
      const here = ip.slice(0, -NODE_SUFFIX.length + 1);
      return { service: rest, port: { ...found, endpoints: found.endpoints.filter((e) => e.ip.startsWith(here)) } };
    }
    return undefined;
  }

  servicePortAt(ip: string, port: number, protocol: "TCP" | "UDP" = "TCP"): ServicePort | undefined {
    const service = this.#byClusterIP.get(ip);
    if (service === undefined) return this.#nodePortAt(ip, port, protocol);
    const found = service?.ports.find((p) => p.port === port && p.protocol === protocol);
    return found === undefined ? undefined : { service, port: found };
  }

  /** Reverse names of a pod: `label.service.namespace` of every Service that lists it. */
  endpointNames(ip: string): string[] {
    return [...(this.#endpointNames.get(ip) ?? [])].map(
      ([key, label]) => `${label}.${key.split("/").reverse().join(".")}`,
    );
  }
}

/** The DNS label of an endpoint: its host name, else its address with dashes. */
export function endpointLabel(endpoint: { ip: string; hostname?: string }): string {
  return endpoint.hostname ?? endpoint.ip.replaceAll(".", "-");
}

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}
