/**
 * Which Services the kernel serves by itself: those whose connections may go to any ready endpoint. The rest, and all of them
 * where the kernel cannot, are served by `service-proxy.ts`, which listens on every ClusterIP all the same.
 */
import type { Delta, EndpointConfig, ServiceConfig } from "../config.ts";
import {
  addPort,
  changePort,
  noTranslation,
  removePort,
  translation,
  type NodeShare,
  type Place,
  type ServedPort,
  type TranslatedPort,
} from "../netfilter/address-translation.ts";
import { batch, errorsIn } from "../netfilter/netlink-message.ts";
import type { NetlinkSocket } from "../netfilter/netlink-socket.ts";
import { eligible, type Client } from "./balancer.ts";
import type { DataplaneState } from "./state.ts";

export interface ServiceTranslationOptions {
  readonly state: DataplaneState;
  readonly openNetlink: () => Promise<NetlinkSocket>;
  /** A dataplane before this one may have told the kernel of Services. */
  readonly rulesMayStand: boolean;
  readonly log: (message: string) => void;
  /** Called when the kernel has taken the first rules, and with them connection tracking. */
  readonly onTracking?: () => void;
}

interface Standing extends ServedPort {
  readonly text: string;
}

/** Changes that come in a row go to the kernel together. */
const PAUSE_MS = 10;
/** Kernel buffers of sockets are small. */
const MOST_BYTES = 128 * 1024;
/** What one port may have told of it, to fit: endpoints, of all nodes together; with affinity each has rules of its own. */
const MOST_ENDPOINTS = 1_000;
const MOST_WITH_AFFINITY = 100;

/** The ports of a Service that the kernel may share out: TCP, all endpoints pods. */
export function translatedPorts(state: DataplaneState, service: ServiceConfig | undefined): TranslatedPort[] {
  if (service === undefined || service.headless) return [];
  const { affinitySeconds } = service;
  const near = service.local === true || service.prefer !== undefined;
  if (near && affinitySeconds !== undefined) return [];
  const isPod = (ip: string): boolean => state.podRange.contains(ip) && !state.isNodeAddress(ip);
  const ips = service.clusterIPs.filter((ip) => ip !== state.addresses.dns && ip !== state.addresses.api);
  return service.ports.flatMap(({ port, protocol, endpoints }) => {
    const ready = endpoints.filter((endpoint) => endpoint.ready);
    if (protocol !== "TCP" || ready.length === 0 || !ready.every(({ ip }) => isPod(ip))) return [];
    const about = {
      endpoints: ready.map(placeOf),
      ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
      ...(near ? { nodes: sharesByNode(service, ready) } : {}),
    };
    return fits(about) ? ips.map((ip) => ({ ip, port, ...about })) : [];
  });
}

/** One port that the kernel has no room for must not cost all others theirs. */
function fits({ endpoints, nodes, affinitySeconds }: Omit<TranslatedPort, "ip" | "port">): boolean {
  if (affinitySeconds !== undefined) return endpoints.length <= MOST_WITH_AFFINITY;
  const told = nodes?.reduce((sum, node) => sum + node.endpoints.length, 0) ?? endpoints.length;
  return Math.max(told, endpoints.length) <= MOST_ENDPOINTS;
}

const placeOf = ({ ip, port }: EndpointConfig): Place => ({ ip, port });

/** For each node that has endpoints, those that its pods are to get. Where there are none the dataplane decides. */
function sharesByNode(service: ServiceConfig, ready: EndpointConfig[]): NodeShare[] {
  const nodes = new Map<string, Client>();
  for (const { ip, node, zone } of ready)
    if (node !== undefined) nodes.set(networkOf(ip), { node, ...(zone === undefined ? {} : { zone }) });
  return [...nodes].map(([network, client]) => ({
    network,
    endpoints: eligible(service, ready, client).map(placeOf),
  }));
}

const networkOf = (podIP: string): string => `${podIP.slice(0, podIP.lastIndexOf("."))}.0`;

export class ServiceTranslation {
  readonly #options: ServiceTranslationOptions;
  /** By the key of their Service, then by address and port. */
  readonly #standing = new Map<string, Map<string, Standing>>();
  #changed = new Set<string>();
  #socket: Promise<NetlinkSocket> | undefined;
  #state: "none" | "stands" | "refused" = "none";
  #generation = 0;
  #pending = false;
  #pauseUntil = 0;
  #closed = false;

  constructor(options: ServiceTranslationOptions) {
    this.#options = options;
  }

  /** Takes the Services of a delta as they are in the state now. */
  refresh(services: NonNullable<Delta["services"]>): void {
    for (const key of Object.keys(services)) this.#changed.add(key);
    if (this.#pending || this.#closed || this.#state === "refused") return;
    this.#pending = true;
    const run = (): void => void this.#tell();
    const now = Date.now();
    if (now > this.#pauseUntil) setImmediate(run);
    else setTimeout(run, this.#pauseUntil - now).unref();
  }

  /** Until the kernel has been told all that is known. */
  async #tell(): Promise<void> {
    while (this.#changed.size > 0 && !this.#closed && this.#state !== "refused") {
      const keys = this.#changed;
      this.#changed = new Set();
      await this.#tellOf(keys).catch((error: unknown) => this.#startAnew(error));
    }
    this.#pauseUntil = Date.now() + PAUSE_MS;
    this.#pending = false;
  }

  async #tellOf(keys: ReadonlySet<string>): Promise<void> {
    const leftover = this.#options.rulesMayStand && this.#state === "none";
    const changes = [...keys].map((key) => this.#changesOf(key));
    // An address that one Service gives up another may have taken.
    const inOrder = [...changes.flatMap(({ gone }) => gone), ...changes.flatMap(({ made }) => made)];
    // Where no Service has an endpoint the kernel is not even asked.
    if (inOrder.length === 0 && !leftover) return;
    const socket = await (this.#socket ??= this.#options.openNetlink());
    if (this.#closed) return;
    const first = this.#state === "none" ? [[...noTranslation(), ...translation()]] : [];
    for (const together of packed([...first, ...inOrder])) {
      tell(socket, together);
      this.#state = "stands";
    }
    if (first.length > 0) this.#options.onTracking?.();
  }

  /** What the kernel is to be told of one Service; each part goes in whole. */
  #changesOf(key: string): { gone: Buffer[][]; made: Buffer[][] } {
    const { state } = this.#options;
    const before = this.#standing.get(key) ?? new Map<string, Standing>();
    const after = new Map<string, Standing>();
    const made: Buffer[][] = [];
    const gone: Buffer[][] = [];
    for (const port of translatedPorts(state, state.services.get(key))) {
      const place = `${port.ip}:${port.port}`;
      const text = JSON.stringify([port.endpoints, port.nodes]);
      const old = before.get(place);
      const keeps = old?.port.affinitySeconds === port.affinitySeconds;
      if (old?.text === text && keeps) {
        after.set(place, old);
        continue;
      }
      const served = { port, text, generation: ++this.#generation };
      if (old !== undefined && keeps) made.push(changePort(served, old));
      else made.push(addPort(served));
      if (old !== undefined && !keeps) gone.push(removePort(old));
      after.set(place, served);
    }
    if (after.size === 0) this.#standing.delete(key);
    else this.#standing.set(key, after);
    for (const [place, old] of before) if (!after.has(place)) gone.push(removePort(old));
    return { gone, made };
  }

  /**
   * After a refusal nothing of the rules is kept, since half of them would be worse than none. Where rules stood they are made
   * once more, from the ground; else the kernel cannot, and the dataplane's process serves all Services.
   */
  async #startAnew(error: unknown): Promise<void> {
    const stood = this.#state === "stands";
    this.#standing.clear();
    this.#state = stood ? "none" : "refused";
    if (stood) for (const key of this.#options.state.services.keys()) this.#changed.add(key);
    else
      this.#options.log(
        `connections to Services go through the dataplane's process: ${error instanceof Error ? error.message : String(error)}`,
      );
    if (!stood && !this.#options.rulesMayStand) return;
    await this.#socket?.then((socket) => void socket.exchange(batch(noTranslation()))).catch(() => {});
  }

  close(): void {
    this.#closed = true;
    void this.#socket?.then(
      (socket) => socket.close(),
      () => {},
    );
  }
}

function tell(socket: NetlinkSocket, changes: readonly Buffer[]): void {
  const failed = errorsIn(socket.exchange(batch(changes))).find((code) => code !== 0);
  if (failed !== undefined) throw new Error(`the kernel's nf_tables refused a change: error ${-failed}`);
}

/** Parts put together to as few batches as will hold them. */
function packed(parts: readonly Buffer[][]): Buffer[][] {
  const all: Buffer[][] = [];
  let size = MOST_BYTES;
  for (const part of parts) {
    const bytes = part.reduce((sum, message) => sum + message.length, 0);
    if (size + bytes > MOST_BYTES) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(...part);
    size += bytes;
  }
  return all;
}
