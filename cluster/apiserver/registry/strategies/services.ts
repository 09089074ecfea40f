/** Services: cluster addresses and node ports, which belong to a Service for as long as its type wants them. */
import type { KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { Store } from "../../../store/store.ts";
import type { ApiServerOptions } from "../../server-options.ts";
import { dns1035Label } from "../../validation/checks.ts";
import { array, read, record, text } from "../printers/printer.ts";
import type { Reservation, Strategy, StrategyContext } from "../strategy.ts";
import { nodePortsOf, parseRange, ServiceAllocator } from "./service-allocator.ts";
import { withAddresses, withFamilies } from "./service-families.ts";
import { needsHealthCheck, Taking, usesPorts } from "./service-taking.ts";
import { serviceWarnings } from "../warnings/service-warnings.ts";

const spec = (service: KubeObject): Readonly<Record<string, unknown>> => record(service["spec"]);
const typeOf = (service: KubeObject): string => text(spec(service)["type"], "ClusterIP");
const clusterIp = (service: KubeObject): string => text(spec(service)["clusterIP"]);
const hasAddress = (service: KubeObject): boolean => !["", "None"].includes(clusterIp(service));
const isNamed = (service: KubeObject): boolean => typeOf(service) === "ExternalName";

const portsOf = (service: KubeObject): number[] =>
  array(spec(service)["ports"])
    .map((port) => read(port, "nodePort"))
    .filter((port): port is number => typeof port === "number" && port > 0);

/** An update that leaves out the ports it was given keeps them, by the names of their own. */
function keepNodePorts(service: KubeObject, old: KubeObject): KubeObject {
  if (!usesPorts(service) || !usesPorts(old)) return service;
  const wanted = new Set(portsOf(service));
  const kept = new Map(
    array(spec(old)["ports"])
      .filter((port) => !wanted.has(read(port, "nodePort") as number))
      .map((port) => [text(read(port, "name")), read(port, "nodePort")]),
  );
  const ports = array(spec(service)["ports"]).map((port) => {
    const nodePort = (read(port, "nodePort") ?? 0) === 0 ? kept.get(text(read(port, "name"))) : undefined;
    return nodePort === undefined ? port : { ...record(port), nodePort };
  });
  const health = spec(old)["healthCheckNodePort"];
  const keepsHealth =
    needsHealthCheck(old) && needsHealthCheck(service) && (spec(service)["healthCheckNodePort"] ?? 0) === 0;
  return {
    ...service,
    spec: { ...spec(service), ports, ...(keepsHealth && health !== undefined ? { healthCheckNodePort: health } : {}) },
  };
}

const isBalanced = (service: KubeObject): boolean => typeOf(service) === "LoadBalancer";
const isAddressed = (service: KubeObject): boolean => !isNamed(service);
const isReachable = (service: KubeObject): boolean =>
  usesPorts(service) || (typeOf(service) === "ClusterIP" && array(spec(service)["externalIPs"]).length > 0);

/** Fields that some Services know and others do not; those of one row go together. */
const TYPED_FIELDS: readonly (readonly [fields: readonly string[], knows: (service: KubeObject) => boolean])[] = [
  [["clusterIP", "clusterIPs"], isAddressed],
  [["ipFamilies"], isAddressed],
  [["ipFamilyPolicy"], isAddressed],
  [["internalTrafficPolicy"], isAddressed],
  [["healthCheckNodePort"], needsHealthCheck],
  [["allocateLoadBalancerNodePorts"], isBalanced],
  [["loadBalancerClass"], isBalanced],
  [["externalTrafficPolicy"], isReachable],
];

/** A change that leaves the fields of the old type as they were means to lose them. */
function dropFieldsOfOldType(service: KubeObject, old: KubeObject): KubeObject {
  const next: Record<string, unknown> = { ...spec(service) };
  for (const [fields, knows] of TYPED_FIELDS) {
    const same = fields.every((field) => equalJson(next[field] ?? null, spec(old)[field] ?? null));
    if (knows(old) && !knows(service) && same) for (const field of fields) delete next[field];
  }
  const held = new Set(portsOf(old));
  if (usesPorts(old) && !usesPorts(service) && portsOf(service).every((port) => held.has(port)))
    next["ports"] = array(next["ports"]).map((port) => {
      const { nodePort: _nodePort, ...rest } = record(port);
      return rest;
    });
  return { ...service, spec: next };
}

/** What a Service no longer shows once it is no load balancer. */
const withoutBalancer = (service: KubeObject): KubeObject =>
  isBalanced(service) ? service : { ...service, status: { ...record(service["status"]), loadBalancer: {} } };

function takeNew(service: KubeObject, taking: Taking): KubeObject {
  let next = withFamilies(withAddresses(service, undefined), undefined);
  if (!isNamed(next)) next = taking.address(next);
  if (usesPorts(next)) next = taking.newPorts(next);
  return needsHealthCheck(next) ? taking.healthCheckPort(next) : next;
}

function takeMore(service: KubeObject, old: KubeObject, taking: Taking): KubeObject {
  let next = withFamilies(service, old);
  if (isNamed(old) && !isNamed(next)) next = taking.address(next);
  if (usesPorts(next)) next = taking.changedPorts(next, old);
  return needsHealthCheck(next) && !needsHealthCheck(old) ? taking.healthCheckPort(next) : next;
}

/** The strategy of Services over the ranges of one cluster. */
export function serviceStrategy(
  store: Store,
  options: Pick<ApiServerOptions, "serviceRange" | "nodePorts" | "random">,
): Partial<Strategy> {
  const ports = options.nodePorts ?? { first: 30_000, last: 32_767 };
  const allocator = new ServiceAllocator(store, parseRange(options.serviceRange), ports, options.random);

  const reserve = (service: KubeObject, old: KubeObject | undefined, { dryRun }: StrategyContext): Reservation => {
    const taking = new Taking(allocator, dryRun);
    try {
      const object = old === undefined ? takeNew(service, taking) : takeMore(service, old, taking);
      return { object, release: () => taking.release() };
    } catch (error) {
      taking.release();
      throw error;
    }
  };

  return {
    nameFaults: dns1035Label,
    prepareForCreate: (service) => ({ ...service, status: { loadBalancer: {} } }),
    prepareForUpdate: (service, old) =>
      withoutBalancer(dropFieldsOfOldType(withAddresses(keepNodePorts(service, old), old), old)),
    /** An address is reached directly where nothing else is said. */
    prepareForStatusUpdate(service) {
      const status = record(service["status"]);
      const balancer = record(status["loadBalancer"]);
      const ingress = array(balancer["ingress"]);
      const isBare = (entry: unknown): boolean => text(read(entry, "ip")) !== "" && read(entry, "ipMode") === undefined;
      if (!ingress.some(isBare)) return service;
      const complete = ingress.map((entry) => (isBare(entry) ? { ...record(entry), ipMode: "VIP" } : entry));
      return { ...service, status: { ...status, loadBalancer: { ...balancer, ingress: complete } } };
    },
    warnings: serviceWarnings,
    reserve,
    /** What the new state no longer holds is free again once it is written. */
    afterUpdate(service, old) {
      if (hasAddress(old) && clusterIp(old) !== clusterIp(service)) allocator.releaseAddress(clusterIp(old));
      const kept = new Set(nodePortsOf(service));
      for (const port of nodePortsOf(old)) if (!kept.has(port)) allocator.releasePort(port);
    },
    afterDelete(service) {
      if (hasAddress(service)) allocator.releaseAddress(clusterIp(service));
      for (const port of nodePortsOf(service)) allocator.releasePort(port);
    },
    selectableFields: {
      "spec.clusterIP": clusterIp,
      "spec.type": typeOf,
    },
  };
}
