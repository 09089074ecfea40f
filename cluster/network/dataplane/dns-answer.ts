/** Cluster DNS as a pure function: a question and the state in, records out. Follows the Kubernetes DNS specification 1.1. */
import type { Answer, RecordType } from "dns-packet";
import type { EndpointConfig, ServiceConfig } from "../config.ts";
import { endpointLabel, type DataplaneState } from "./state.ts";
import { parseIPv4 } from "../address.ts";
import { internalDomain, parseSiblingName } from "../sibling-names.ts";

export const TTL = 5;
const VERSION_TTL = 28_800;

export type DnsResult =
  | { readonly kind: "answer"; readonly answers: readonly Answer[]; readonly additionals: readonly Answer[] }
  /** The name exists, not with that type. */
  | { readonly kind: "nodata" }
  | { readonly kind: "nxdomain" }
  /** An ExternalName whose target is outside: resolve it and add the answer. */
  | { readonly kind: "cname"; readonly answers: readonly Answer[]; readonly target: string }
  /** A host of a cluster beside this one: its address if there is such a cluster, else `unknown`. */
  | { readonly kind: "sibling"; readonly host: string; readonly unknown: DnsResult }
  | { readonly kind: "outside" };

const NXDOMAIN: DnsResult = { kind: "nxdomain" };
const NODATA: DnsResult = { kind: "nodata" };
const answer = (answers: readonly Answer[], additionals: readonly Answer[] = []): DnsResult =>
  answers.length === 0 ? NODATA : { kind: "answer", answers, additionals };
const a = (name: string, data: string): Answer => ({ type: "A", name, ttl: TTL, class: "IN", data });

/** Answers one question; `name` in any case, with or without the last dot. */
export function answerQuestion(state: DataplaneState, name: string, type: RecordType, depth = 0): DnsResult {
  const asked = name.replace(/\.$/, "");
  const lower = asked.toLowerCase();
  const { clusterDomain, appsDomain } = state.settings;
  if (lower.endsWith(".in-addr.arpa")) return reverse(state, asked, lower, type);
  if (lower === clusterDomain || lower.endsWith(`.${clusterDomain}`)) {
    const labels = lower === clusterDomain ? [] : lower.slice(0, -clusterDomain.length - 1).split(".");
    return clusterName(state, asked, labels, type, depth);
  }
  if (lower.endsWith(`.${appsDomain}`) || lower.endsWith(`.${internalDomain(appsDomain)}`))
    return addressed(asked, type, state.addresses.gateway);
  const isLocal = lower === "localhost" || lower.endsWith(".localhost");
  const local = isLocal ? addressed(asked, type, "127.0.0.1") : undefined;
  if (parseSiblingName(lower) !== undefined) return { kind: "sibling", host: lower, unknown: local ?? NXDOMAIN };
  return local ?? { kind: "outside" };
}

/** What a name with one address answers. */
export const addressed = (name: string, type: RecordType, address: string): DnsResult =>
  type === "A" ? answer([a(name.replace(/\.$/, ""), address)]) : NODATA;

function clusterName(
  state: DataplaneState,
  name: string,
  labels: string[],
  type: RecordType,
  depth: number,
): DnsResult {
  if (labels.length === 0) return zone(state, name, type);
  if (labels.join(".") === "ns.dns") return type === "A" ? answer([a(name, state.addresses.dns)]) : NODATA;
  const tree = labels.at(-1);
  const rest = labels.slice(0, -1);
  if (tree === "dns-version" && rest.length === 0) {
    return type === "TXT" ? answer([{ type: "TXT", name, ttl: VERSION_TTL, class: "IN", data: "1.1.0" }]) : NODATA;
  }
  if (tree === "svc") return serviceName(state, name, rest, type, depth);
  if (tree === "pod") return podName(state, name, rest, type);
  return NXDOMAIN;
}

/** The zone's own records. */
export const soa = (domain: string): Answer => ({
  type: "SOA",
  name: domain,
  ttl: TTL,
  class: "IN",
  data: {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: TTL,
  },
});

function zone(state: DataplaneState, name: string, type: RecordType): DnsResult {
  if (type === "SOA") return answer([soa(name)]);
  const server = `ns.dns.${state.settings.clusterDomain}`;
  return type === "NS"
    ? answer([{ type: "NS", name, ttl: TTL, class: "IN", data: server }], [a(server, state.addresses.dns)])
    : NODATA;
}

function podName(state: DataplaneState, name: string, labels: string[], type: RecordType): DnsResult {
  const namespace = labels.at(-1);
  if (namespace === undefined) return NODATA;
  const dashed = labels[0];
  if (labels.length === 1 || dashed === undefined) return state.hasNamespace(namespace) ? NODATA : NXDOMAIN;
  const ip = dashed.replaceAll("-", ".");
  if (labels.length !== 2 || parseIPv4(ip) === undefined) return NXDOMAIN;
  return type === "A" ? answer([a(name, ip)]) : NODATA;
}

function serviceName(
  state: DataplaneState,
  name: string,
  labels: string[],
  type: RecordType,
  depth: number,
): DnsResult {
  const [namespace, serviceName, ...rest] = labels.toReversed();
  if (namespace === undefined) return NODATA;
  if (serviceName === undefined) return state.hasNamespace(namespace) ? NODATA : NXDOMAIN;
  const service = state.services.get(`${namespace}/${serviceName}`);
  if (service === undefined) return NXDOMAIN;
  const below = rest.toReversed();
  if (service.externalName !== undefined)
    return below.length > 0 ? NXDOMAIN : externalName(state, name, service.externalName, type, depth);
  if (below.length === 0) return wholeService(state, name, service, type);
  if (below.length === 2) return namedPort(state, name, service, below, type);
  if (below.length === 1) {
    const endpoints = published(service).filter((e) => endpointLabel(e) === below[0]);
    if (endpoints.length === 0) return NXDOMAIN;
    return type === "A" ? answer(addresses(name, endpoints)) : NODATA;
  }
  return NXDOMAIN;
}

function wholeService(state: DataplaneState, name: string, service: ServiceConfig, type: RecordType): DnsResult {
  const endpoints = service.headless ? published(service) : [];
  if (service.headless && endpoints.length === 0) return NXDOMAIN;
  if (type === "A") return serviceAddresses(name, service, endpoints);
  if (type === "SRV") return serviceRecords(state, name, service, service.ports);
  return NODATA;
}

const serviceAddresses = (name: string, service: ServiceConfig, endpoints: readonly EndpointConfig[]): DnsResult =>
  answer(service.headless ? addresses(name, endpoints) : service.clusterIPs.map((ip) => a(name, ip)));

function namedPort(
  state: DataplaneState,
  name: string,
  service: ServiceConfig,
  below: readonly string[],
  type: RecordType,
): DnsResult {
  const [port, protocol] = below.map((label) => label.replace(/^_/, ""));
  const ports = service.ports.filter((p) => p.name === port && p.protocol.toLowerCase() === protocol);
  const endpoints = service.headless ? published({ ...service, ports }) : [];
  if (ports.length === 0 || (service.headless && endpoints.length === 0)) return NXDOMAIN;
  if (type === "SRV") return serviceRecords(state, name, service, ports);
  return type === "A" ? serviceAddresses(name, service, endpoints) : NODATA;
}

function serviceRecords(
  state: DataplaneState,
  name: string,
  service: ServiceConfig,
  ports: ServiceConfig["ports"],
): DnsResult {
  const host = `${service.name}.${service.namespace}.svc.${state.settings.clusterDomain}`;
  const records = new Map<string, { readonly target: string; readonly port: number }>();
  const additionals = new Map<string, Answer>();
  let rows = 0;
  const add = (target: string, port: number, ip: string): void => {
    rows++;
    records.set(`${port} ${target}`, { target, port });
    additionals.set(`${target} ${ip}`, a(target, ip));
  };
  for (const port of ports) {
    if (port.port === 0) continue;
    if (!service.headless) for (const ip of service.clusterIPs) add(host, port.port, ip);
    else {
      for (const e of port.endpoints)
        if (e.ready || service.publishNotReady) add(`${endpointLabel(e)}.${host}`, e.port, e.ip);
    }
  }
  const weight = Math.max(1, Math.floor(100 / rows));
  return answer(
    [...records.values()].map((each) => ({
      type: "SRV",
      name,
      ttl: TTL,
      class: "IN",
      data: { priority: 0, weight, ...each },
    })),
    [...additionals.values()],
  );
}

/** Names may name each other in a circle: a few steps are followed, as resolvers do. */
const MAX_CNAMES = 8;

function externalName(state: DataplaneState, name: string, target: string, type: RecordType, depth: number): DnsResult {
  // An address is no name to lead to; and what has only a CNAME has no records of its own.
  if (parseIPv4(target) !== undefined) return NXDOMAIN;
  if (type !== "A" && type !== "AAAA" && type !== "CNAME") return NODATA;
  const cname: Answer = { type: "CNAME", name, ttl: TTL, class: "IN", data: target };
  if (type === "CNAME" || depth >= MAX_CNAMES) return answer([cname]);
  const next = answerQuestion(state, target, type, depth + 1);
  if (next.kind === "answer") return answer([cname, ...next.answers], next.additionals);
  if (next.kind === "cname") return { kind: "cname", answers: [cname, ...next.answers], target: next.target };
  if (next.kind === "outside") return { kind: "cname", answers: [cname], target };
  return answer([cname]);
}

function reverse(state: DataplaneState, name: string, lower: string, type: RecordType): DnsResult {
  const ip = lower.slice(0, -".in-addr.arpa".length).split(".").toReversed().join(".");
  const inCluster = state.serviceRange.contains(ip) || state.podRange.contains(ip);
  if (!inCluster) return { kind: "outside" };
  const service = state.serviceAt(ip);
  const names = service === undefined ? state.endpointNames(ip) : [`${service.name}.${service.namespace}`];
  if (names.length === 0) return NXDOMAIN;
  if (type !== "PTR") return NODATA;
  return answer(
    names.map((n) => ({
      type: "PTR",
      name,
      ttl: TTL,
      class: "IN",
      data: `${n}.svc.${state.settings.clusterDomain}`,
    })),
  );
}

/** The endpoints that DNS shows, one an address. */
function published(service: ServiceConfig): EndpointConfig[] {
  const byIP = new Map<string, EndpointConfig>();
  for (const port of service.ports) {
    for (const endpoint of port.endpoints)
      if (endpoint.ready || service.publishNotReady) byIP.set(endpoint.ip, endpoint);
  }
  return [...byIP.values()];
}

const addresses = (name: string, endpoints: readonly EndpointConfig[]): Answer[] => endpoints.map((e) => a(name, e.ip));

/** The names a resolver tries for `name` in a pod: search paths with ndots 5, as kubelet writes resolv.conf. */
export function searchNames(name: string, namespace: string, clusterDomain: string): string[] {
  if (name.endsWith(".")) return [name];
  const paths = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain].map(
    (path) => `${name}.${path}`,
  );
  return name.split(".").length > 5 ? [name, ...paths] : [...paths, name];
}
