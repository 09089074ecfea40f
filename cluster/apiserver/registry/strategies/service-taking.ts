/** What one write of a Service takes of addresses and ports, to be given back when it does not happen. */
import { fieldInvalid, internalError, invalid, StatusError, type FieldError, type KubeObject } from "@travelops/kube";
import { array, record, text } from "../printers/printer.ts";
import { nodePortsOf, type ServiceAllocator } from "./service-allocator.ts";

type Port = Readonly<Record<string, unknown>>;

const spec = (service: KubeObject): Readonly<Record<string, unknown>> => record(service["spec"]);
const portNumber = (port: Port, key: string): number => (typeof port[key] === "number" ? port[key] : 0);

export const usesPorts = (service: KubeObject): boolean =>
  ["NodePort", "LoadBalancer"].includes(text(spec(service)["type"]));
const getsPorts = (service: KubeObject): boolean =>
  spec(service)["type"] === "NodePort" || spec(service)["allocateLoadBalancerNodePorts"] !== false;
export const needsHealthCheck = (service: KubeObject): boolean =>
  spec(service)["type"] === "LoadBalancer" && spec(service)["externalTrafficPolicy"] === "Local";

const refuse = (service: KubeObject, error: FieldError): never => {
  throw invalid("", "Service", service.metadata.name ?? "", [error]);
};

export class Taking {
  readonly #allocator: ServiceAllocator;
  readonly #dryRun: boolean;
  #addresses: string[] = [];
  #ports: number[] = [];

  constructor(allocator: ServiceAllocator, dryRun: boolean) {
    this.#allocator = allocator;
    this.#dryRun = dryRun;
  }

  /** The Service with the address it asks for, or with one that is free. */
  address(service: KubeObject): KubeObject {
    const [wanted = ""] = array(spec(service)["clusterIPs"]).map((ip) => text(ip));
    if (wanted === "None") return service;
    const address = wanted === "" ? this.#freeAddress() : this.#namedAddress(service, wanted);
    return { ...service, spec: { ...spec(service), clusterIP: address, clusterIPs: [address] } };
  }

  #freeAddress(): string {
    const free = this.#allocator.nextAddress();
    if (free === undefined) throw internalError("failed to allocate a serviceIP: range is full");
    this.#addresses.push(free);
    return free;
  }

  #namedAddress(service: KubeObject, wanted: string): string {
    const fault = (why: string): never =>
      refuse(service, fieldInvalid("spec.clusterIPs", [wanted], `failed to allocate IP ${wanted}: ${why}`));
    if (!this.#allocator.contains(wanted)) fault("the provided network does not match the current range");
    // As upstream: a trial run does not look who has it.
    if (this.#dryRun) return wanted;
    if (!this.#allocator.takeAddress(wanted)) fault("provided IP is already allocated");
    this.#addresses.push(wanted);
    return wanted;
  }

  /** What is wrong with taking a port; undefined: it is taken. */
  #take(port: number): string | undefined {
    const { first, last } = this.#allocator.ports;
    if (!this.#dryRun && (port < first || port > last))
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    if (this.#allocator.isPortTaken(port)) return "provided port is already allocated";
    this.#allocator.takePort(port);
    this.#ports.push(port);
    return undefined;
  }

  #port(service: KubeObject, path: string, wanted: number): number {
    if (wanted === 0) return this.#freePort("nodePort");
    const fault = this.#take(wanted);
    return fault === undefined ? wanted : refuse(service, fieldInvalid(path, wanted, fault));
  }

  #freePort(what: string): number {
    const free = this.#allocator.nextPort();
    if (free === undefined) throw internalError(`failed to allocate a ${what}: range is full`);
    this.#ports.push(free);
    return free;
  }

  /** Ports of the nodes for a new user of them; ports of one number and many protocols share theirs. */
  newPorts(service: KubeObject): KubeObject {
    const sent = array(spec(service)["ports"]).map((port) => record(port));
    const shared = new Map<number, number>();
    const ports = sent.map((port, i) => {
      const wanted = portNumber(port, "nodePort");
      if (wanted === 0 && !getsPorts(service)) return port;
      const number = portNumber(port, "port");
      const path = `spec.ports[${i}].nodePort`;
      const same = shared.get(number);
      if (same === undefined) {
        const asked = sent.find((other) => portNumber(other, "port") === number && portNumber(other, "nodePort") !== 0);
        const nodePort = this.#port(service, path, portNumber(asked ?? {}, "nodePort"));
        shared.set(number, nodePort);
        return { ...port, nodePort };
      }
      return { ...port, nodePort: wanted === 0 || wanted === same ? same : this.#port(service, path, wanted) };
    });
    return { ...service, spec: { ...spec(service), ports } };
  }

  /** Ports of the nodes for a Service that may have some. */
  changedPorts(service: KubeObject, old: KubeObject): KubeObject {
    const own = new Set(nodePortsOf(old));
    const seen = new Set<string>();
    const ports = array(spec(service)["ports"]).map((one, i) => {
      const port = record(one);
      const wanted = portNumber(port, "nodePort");
      if (wanted === 0 && !getsPorts(service)) return port;
      const nodePort = own.has(wanted) ? wanted : this.#port(service, `spec.ports[${i}].nodePort`, wanted);
      own.add(nodePort);
      const protocol = text(port["protocol"]);
      const pair = `${protocol}/${nodePort}`;
      if (seen.has(pair)) throw new StatusError(500, "", `duplicate nodePort: {${protocol} ${nodePort}}`);
      seen.add(pair);
      return { ...port, nodePort };
    });
    return { ...service, spec: { ...spec(service), ports } };
  }

  /** Where a load balancer asks whether this Service has somebody on a node. */
  healthCheckPort(service: KubeObject): KubeObject {
    const wanted = portNumber(spec(service), "healthCheckNodePort");
    if (wanted === 0)
      return { ...service, spec: { ...spec(service), healthCheckNodePort: this.#freePort("HealthCheck NodePort") } };
    const fault = this.#take(wanted);
    if (fault !== undefined)
      throw internalError(`failed to allocate requested HealthCheck NodePort ${wanted}: ${fault}`);
    return service;
  }

  release(): void {
    for (const address of this.#addresses) this.#allocator.releaseAddress(address);
    for (const port of this.#ports) this.#allocator.releasePort(port);
    this.#addresses = [];
    this.#ports = [];
  }
}
