/** Addresses and node ports of Services: taken from the ranges of the cluster, given back when a Service goes. */
import type { KubeObject } from "@travelops/kube";
import { formatIPv4, parseIPv4 } from "../../../network/address.ts";
import type { Store } from "../../../store/store.ts";
import { array, read, text } from "../printers/printer.ts";

export interface AddressRange {
  readonly base: number;
  readonly size: number;
}

/** Reads `10.64.0.0/16`. Throws a plain Error: the range comes from the program, never from a request. */
export function parseRange(cidr: string): AddressRange {
  const [address = "", bits = ""] = cidr.split("/");
  const base = parseIPv4(address);
  const length = Number(bits);
  if (base === undefined || !Number.isInteger(length) || length < 8 || length > 30) {
    throw new Error(`the service range ${JSON.stringify(cidr)} is no IPv4 range such as 10.64.0.0/16`);
  }
  const size = 2 ** (32 - length);
  return { base: base - (base % size), size };
}

/** The n-th address of a range. */
export const addressAt = (range: AddressRange, index: number): string => formatIPv4(range.base + index);

/** Offsets that belong to the cluster itself: the API server and the DNS. */
const RESERVED: ReadonlySet<number> = new Set([0, 1, 10]);

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const nodePortsOf = (service: KubeObject): number[] =>
  [
    ...array(read(service, "spec", "ports")).map((port) => read(port, "nodePort")),
    read(service, "spec", "healthCheckNodePort"),
  ].filter((port): port is number => typeof port === "number" && port > 0);

export class ServiceAllocator {
  readonly range: AddressRange;
  readonly ports: PortRange;
  readonly #random: () => number;
  readonly #addresses = new Set<number>();
  readonly #nodePorts = new Map<number, number>();

  constructor(store: Store, range: AddressRange, ports: PortRange, random: () => number) {
    this.range = range;
    this.ports = ports;
    this.#random = random;
    for (const { object } of store.list("services.").items) {
      this.takeAddress(text(read(object, "spec", "clusterIP")));
      for (const port of nodePortsOf(object)) this.takePort(port);
    }
  }

  /** Whether an address stands inside the range. */
  contains(address: string): boolean {
    const at = parseIPv4(address);
    return at !== undefined && at > this.range.base && at < this.range.base + this.range.size - 1;
  }

  /** False when somebody has it. */
  takeAddress(address: string): boolean {
    const at = parseIPv4(address);
    if (at === undefined || this.#addresses.has(at)) return false;
    this.#addresses.add(at);
    return true;
  }

  releaseAddress(address: string): void {
    const at = parseIPv4(address);
    if (at !== undefined) this.#addresses.delete(at);
  }

  /** A free address by chance; undefined when the range is full. */
  nextAddress(): string | undefined {
    const { base, size } = this.range;
    const start = Math.floor(this.#random() * size);
    for (let i = 0; i < size; i++) {
      const offset = (start + i) % size;
      if (RESERVED.has(offset) || offset === size - 1 || this.#addresses.has(base + offset)) continue;
      this.#addresses.add(base + offset);
      return formatIPv4(base + offset);
    }
    return undefined;
  }

  /** One Service may use a node port for TCP and UDP alike: holders are counted. */
  takePort(port: number): void {
    this.#nodePorts.set(port, (this.#nodePorts.get(port) ?? 0) + 1);
  }

  isPortTaken(port: number): boolean {
    return this.#nodePorts.has(port);
  }

  releasePort(port: number): void {
    const holders = (this.#nodePorts.get(port) ?? 0) - 1;
    if (holders > 0) this.#nodePorts.set(port, holders);
    else this.#nodePorts.delete(port);
  }

  nextPort(): number | undefined {
    const { first, last } = this.ports;
    const size = last - first + 1;
    const start = Math.floor(this.#random() * size);
    for (let i = 0; i < size; i++) {
      const port = first + ((start + i) % size);
      if (this.#nodePorts.has(port)) continue;
      this.takePort(port);
      return port;
    }
    return undefined;
  }
}
