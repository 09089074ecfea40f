/** Services: cluster addresses and node ports, which belong to a Service for as long as its type wants them. */
import { isIP } from "node:net";
import { fieldInvalid, internalError, invalid, type FieldError, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { Store } from "../../../store/store.ts";
import type { ApiServerOptions } from "../../server-options.ts";
import { array, read, record, text } from "../printers/printer.ts";
import type { Reservation, Strategy } from "../strategy.ts";
import { nodePortsOf, parseRange, ServiceAllocator } from "./service-allocator.ts";
import { dns1035Label } from "../../validation/checks.ts";
import { serviceWarnings } from "./service-warnings.ts";

const spec = (service: KubeObject): Readonly<Record<string, unknown>> => record(service["spec"]);
const typeOf = (service: KubeObject): string => text(spec(service)["type"], "ClusterIP");
const clusterIp = (service: KubeObject): string => text(spec(service)["clusterIP"]);
const hasAddress = (service: KubeObject): boolean => !["", "None"].includes(clusterIp(service));
const wantsAddress = (service: KubeObject): boolean =>
  typeOf(service) !== "ExternalName" && clusterIp(service) !== "None";
const wantsPorts = (service: KubeObject): boolean =>
  typeOf(service) === "NodePort" ||
  (typeOf(service) === "LoadBalancer" && spec(service)["allocateLoadBalancerNodePorts"] !== false);

const fault = (service: KubeObject, error: FieldError): never => {
  throw invalid("", "Service", service.metadata.name ?? "", [error]);
};

/** What one write takes, to be given back when it does not happen. */
class Taking {
  readonly #allocator: ServiceAllocator;
  #addresses: string[] = [];
  #ports: number[] = [];

  constructor(allocator: ServiceAllocator) {
    this.#allocator = allocator;
  }

  address(service: KubeObject): string {
    const wanted = clusterIp(service);
    if (wanted === "") {
      const free = this.#allocator.nextAddress();
      if (free === undefined) throw internalError("failed to allocate a serviceIP: range is full");
      this.#addresses.push(free);
      return free;
    }
    if (!this.#allocator.contains(wanted)) {
      fault(
        service,
        fieldInvalid(
          "spec.clusterIPs",
          [wanted],
          `failed to allocate IP ${wanted}: the provided network does not match the current range`,
        ),
      );
    }
    if (!this.#allocator.takeAddress(wanted)) {
      fault(
        service,
        fieldInvalid("spec.clusterIPs", [wanted], `failed to allocate IP ${wanted}: provided IP is already allocated`),
      );
    }
    this.#addresses.push(wanted);
    return wanted;
  }

  port(service: KubeObject, path: string, wanted: unknown, own: ReadonlySet<number>): number {
    if (typeof wanted !== "number" || wanted === 0) {
      const free = this.#allocator.nextPort();
      if (free === undefined) throw internalError("failed to allocate a nodePort: range is full");
      this.#ports.push(free);
      return free;
    }
    const { first, last } = this.#allocator.ports;
    if (!own.has(wanted)) {
      if (wanted < first || wanted > last) {
        fault(
          service,
          fieldInvalid(
            path,
            wanted,
            `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
          ),
        );
      }
      if (this.#allocator.isPortTaken(wanted))
        fault(service, fieldInvalid(path, wanted, "provided port is already allocated"));
      this.#allocator.takePort(wanted);
      this.#ports.push(wanted);
    }
    return wanted;
  }

  release(): void {
    for (const address of this.#addresses) this.#allocator.releaseAddress(address);
    for (const port of this.#ports) this.#allocator.releasePort(port);
    this.#addresses = [];
    this.#ports = [];
  }
}

function withAddress(service: KubeObject, address: string): KubeObject {
  return {
    ...service,
    spec: {
      ...spec(service),
      clusterIP: address,
      clusterIPs: [address],
      ipFamilies: spec(service)["ipFamilies"] ?? ["IPv4"],
      ipFamilyPolicy: spec(service)["ipFamilyPolicy"] ?? "SingleStack",
    },
  };
}

/** Without a selector nobody knows what stands behind a headless Service: upstream lets it be of both families. */
function headless(service: KubeObject): KubeObject {
  const selective = Object.keys(record(spec(service)["selector"])).length > 0;
  const both = selective ? {} : { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" };
  return withAddress({ ...service, spec: { ...both, ...spec(service) } }, "None");
}

function withoutAddress(service: KubeObject): KubeObject {
  const {
    clusterIP: _address,
    clusterIPs: _addresses,
    ipFamilies: _families,
    ipFamilyPolicy: _policy,
    ...rest
  } = spec(service);
  return { ...service, spec: rest };
}

function withNodePorts(service: KubeObject, taking: Taking, old: KubeObject | undefined): KubeObject {
  const own = new Set(old === undefined ? [] : nodePortsOf(old));
  const shared = new Map<string, number>();
  const ports = array(spec(service)["ports"]).map((port, i) => {
    const wanted = read(port, "nodePort");
    const protocols = `${text(read(port, "port"))}`;
    const same = shared.get(protocols);
    if (same !== undefined && (wanted === undefined || wanted === 0 || wanted === same))
      return { ...record(port), nodePort: same };
    const nodePort = taking.port(service, `spec.ports[${i}].nodePort`, wanted, own);
    shared.set(protocols, nodePort);
    return { ...record(port), nodePort };
  });
  return { ...service, spec: { ...spec(service), ports } };
}

/** Ports of a Service that no longer has any keep none. */
function withoutNodePorts(service: KubeObject, old: KubeObject | undefined): KubeObject {
  if (old === undefined || typeOf(old) === typeOf(service)) return service;
  const ports = array(spec(service)["ports"]).map((port) => {
    const { nodePort: _nodePort, ...rest } = record(port);
    return rest;
  });
  return { ...service, spec: { ...spec(service), ports } };
}

/** An update that leaves out what the server filled in keeps it. */
function keepAddress(service: KubeObject, old: KubeObject): KubeObject {
  const before = clusterIp(old);
  const after = clusterIp(service);
  if (
    after !== "" &&
    before !== "" &&
    after !== before &&
    equalJson(spec(service)["clusterIPs"], spec(old)["clusterIPs"])
  ) {
    return { ...service, spec: { ...spec(service), clusterIPs: [after] } };
  }
  if (!wantsAddress(service) || !hasAddress(old) || after !== "") return service;
  return withAddress(service, before);
}

function keepNodePorts(service: KubeObject, old: KubeObject): KubeObject {
  if (!wantsPorts(service) || !wantsPorts(old)) return service;
  const before = array(spec(old)["ports"]);
  const ports = array(spec(service)["ports"]).map((port) => {
    const given = read(port, "nodePort");
    if (typeof given === "number" && given !== 0) return port;
    const match = before.find(
      (other) => read(other, "port") === read(port, "port") && read(other, "protocol") === read(port, "protocol"),
    );
    const nodePort = read(match, "nodePort");
    return nodePort === undefined ? port : { ...record(port), nodePort };
  });
  return { ...service, spec: { ...spec(service), ports } };
}

/** Fields that a type of Service knows and others do not. */
const TYPED_FIELDS: readonly (readonly [field: string, knows: (service: KubeObject) => boolean])[] = [
  [
    "externalTrafficPolicy",
    (service) =>
      typeOf(service) === "NodePort" ||
      typeOf(service) === "LoadBalancer" ||
      array(spec(service)["externalIPs"]).length > 0,
  ],
  ["allocateLoadBalancerNodePorts", (service) => typeOf(service) === "LoadBalancer"],
  ["loadBalancerClass", (service) => typeOf(service) === "LoadBalancer"],
  [
    "healthCheckNodePort",
    (service) => typeOf(service) === "LoadBalancer" && spec(service)["externalTrafficPolicy"] === "Local",
  ],
  ["internalTrafficPolicy", (service) => typeOf(service) !== "ExternalName"],
  ["externalName", (service) => typeOf(service) === "ExternalName"],
  ["clusterIP", wantsAddress],
  ["clusterIPs", wantsAddress],
  ["ipFamilies", wantsAddress],
  ["ipFamilyPolicy", wantsAddress],
];

/** A change of type that leaves the fields of the old type as they were means to lose them. */
function dropFieldsOfOldType(service: KubeObject, old: KubeObject): KubeObject {
  if (typeOf(service) === typeOf(old)) return service;
  const next: Record<string, unknown> = { ...spec(service) };
  for (const [field, knows] of TYPED_FIELDS) {
    if (knows(old) && !knows(service) && equalJson(next[field], spec(old)[field])) delete next[field];
  }
  return { ...service, spec: next };
}

/** The strategy of Services over the ranges of one cluster. */
export function serviceStrategy(
  store: Store,
  options: Pick<ApiServerOptions, "serviceRange" | "nodePorts" | "random">,
): Partial<Strategy> {
  const ports = options.nodePorts ?? { first: 30_000, last: 32_767 };
  const allocator = new ServiceAllocator(store, parseRange(options.serviceRange), ports, options.random);

  const reserve = (service: KubeObject, old: KubeObject | undefined): Reservation => {
    // What is no address can be given to nobody: validation says so.
    if (wantsAddress(service) && clusterIp(service) !== "" && isIP(clusterIp(service)) === 0)
      return { object: service, release: () => {} };
    const taking = new Taking(allocator);
    try {
      let next = service;
      if (!wantsAddress(service)) {
        if (typeOf(service) === "ExternalName") next = old === undefined ? next : withoutAddress(next);
        else next = headless(next);
      } else if (old === undefined || !hasAddress(old)) next = withAddress(next, taking.address(next));
      next = wantsPorts(next) ? withNodePorts(next, taking, old) : withoutNodePorts(next, old);
      return { object: next, release: () => taking.release() };
    } catch (error) {
      taking.release();
      throw error;
    }
  };

  return {
    nameFaults: dns1035Label,
    prepareForCreate: (service) => ({ ...service, status: { loadBalancer: {} } }),
    prepareForUpdate: (service, old) => keepNodePorts(keepAddress(dropFieldsOfOldType(service, old), old), old),
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
