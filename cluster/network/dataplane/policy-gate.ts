/**
 * NetworkPolicies where the dataplane makes connections, and the orders to the kernel for what pods make directly.
 * While there is no policy, every question costs one comparison.
 */
import { cidrBounds, EGRESS_PORT } from "../address.ts";
import type { EndpointConfig, PolicyEnforcement, Protocol } from "../config.ts";
import { allows, indexPolicies, partyOf, type Destination, type Isolation, type Party } from "../policy/decide.ts";
import type { DeniedTarget, JudgedTarget } from "../policy/firewall-rules.ts";
import type { Firewall } from "../policy/firewall.ts";
import type { ConnectionSource } from "./connector.ts";
import type { DataplaneState } from "./state.ts";

export interface PolicyGateOptions {
  readonly state: DataplaneState;
  /** Opens the kernel's firewall; absent in the bare sandbox, which has none. */
  readonly openFirewall?: () => Promise<Firewall>;
  /** Whether an address is a node's own: what comes from there is never held up. */
  readonly isNode: (ip: string) => boolean;
  readonly report: (enforcement: PolicyEnforcement) => void;
  /** The kernel may have rules of a dataplane before this one: they go, though there be no policy. */
  readonly rulesMayStand?: boolean;
}

/** More single refusals than that are not worth telling the kernel: the dataplane resets those connections. */
const MOST_DENIED = 20_000;
/** Changes that come in a row go to the kernel together. */
const PAUSE_MS = 20;
/** Cluster DNS is known by the port it has here and the one its pods have on OpenShift; so is the API server. */
const DNS_PORTS = [53, 5353];
const API_PORTS = [443, 6443];

export class PolicyGate {
  readonly #options: PolicyGateOptions;
  #index: ReadonlyMap<string, Isolation> = new Map();
  #firewall: Promise<Firewall> | undefined;
  #pending = false;
  #pauseUntil = 0;
  /** What the kernel was told; `undefined`: nobody knows what it holds. */
  #enforced: string | undefined;
  #reported = "";
  #closed = false;

  constructor(options: PolicyGateOptions) {
    this.#options = options;
    this.#enforced = options.rulesMayStand === true ? undefined : "";
  }

  get active(): boolean {
    return this.#index.size > 0;
  }

  /** Takes the policies of the state as they are now; `targets`: pods or Services have changed. */
  refresh(changed: { policies: boolean; targets: boolean }): void {
    const { policies } = this.#options.state;
    if (changed.policies) this.#index = indexPolicies(policies.values());
    const leftover = this.#enforced === undefined && this.#firewall === undefined;
    if (!changed.policies && !leftover && (!changed.targets || policies.size === 0)) return;
    if (this.#options.openFirewall === undefined) return policies.size > 0 ? this.#report(bareEnforcement) : undefined;
    // Where there never was a policy the kernel is not even asked for a firewall.
    if (policies.size === 0 && this.#firewall === undefined && !leftover) return;
    if (this.#pending || this.#closed) return;
    this.#pending = true;
    const run = (): void => {
      this.#pending = false;
      void this.#enforce();
    };
    if (Date.now() > this.#pauseUntil) setImmediate(run);
    else setTimeout(run, this.#pauseUntil - Date.now()).unref();
  }

  async #enforce(): Promise<void> {
    const { state } = this.#options;
    try {
      this.#firewall ??= this.#options.openFirewall?.();
      const firewall = await this.#firewall;
      if (this.#closed || firewall === undefined) return;
      const start = Date.now();
      const plan = { policies: [...state.policies.values()], denied: this.#denied(), judged: this.#judged() };
      const text = state.policies.size === 0 ? "" : JSON.stringify(plan);
      // Most changes of Services and pods are none for the kernel.
      if (text === this.#enforced) return;
      if (text === "") firewall.clear();
      else firewall.enforce(plan);
      this.#enforced = text;
      // The more there is to say, the more changes are said at once: connections wait meanwhile.
      this.#pauseUntil = Date.now() + PAUSE_MS + 4 * (Date.now() - start);
      if (text === "") return;
      this.#report({ kind: "full" });
    } catch (error) {
      this.#enforced = undefined;
      this.#report({ kind: "partial", why: error instanceof Error ? error.message : String(error) });
    }
  }

  #report(enforcement: PolicyEnforcement): void {
    const text = JSON.stringify(enforcement);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.report(enforcement);
  }

  /** Whether a connection from `source` to an endpoint may be made. */
  mayConnect(source: ConnectionSource, endpoint: EndpointConfig, protocol: Protocol = "TCP"): boolean {
    if (!this.active) return true;
    const from = this.#party(source);
    return from === undefined || allows(this.#index, from, this.#destination(endpoint.ip, endpoint.port, protocol));
  }

  /** Whether the ingress, for the Gateways that a request came in by, may connect to an endpoint. */
  mayEnter(gateways: readonly string[] | undefined, endpoint: EndpointConfig): boolean {
    if (!this.active) return true;
    const { gateway } = this.#options.state.addresses;
    const from: Party = { ip: gateway, ids: [gateway, ...(gateways ?? [])] };
    return allows(this.#index, from, { ip: endpoint.ip, ports: [endpoint.port], protocol: "TCP" });
  }

  /** Whether a pod may leave for an address that is none of a Service: another pod, DNS, the API server, the world. */
  mayReach(podIP: string, ip: string, port: number, protocol: Protocol = "TCP"): boolean {
    return !this.active || allows(this.#index, partyOf(podIP), this.#destination(ip, port, protocol));
  }

  /** Whether policies say anything of where a pod may connect to. */
  holdsBack(podIP: string): boolean {
    return this.active && this.#index.get(podIP)?.egress !== undefined;
  }

  #party(source: ConnectionSource): Party | undefined {
    switch (source.kind) {
      case "pod":
        return partyOf(source.pod.ip);
      case "address":
        return this.#options.isNode(source.ip) ? undefined : partyOf(source.ip);
      case "outside":
        return undefined;
    }
  }

  #destination(ip: string, port: number, protocol: Protocol): Destination {
    const { addresses } = this.#options.state;
    if (ip === addresses.dns && port === 53) return { ip, ports: DNS_PORTS, protocol };
    if (ip === addresses.api && port === 443) return { ip, ports: API_PORTS, protocol };
    return { ip, ports: [port], protocol };
  }

  /** What the dataplane and the cluster process judge themselves, on addresses that pods reach by the bridge. */
  #judged(): JudgedTarget[] {
    const { settings, addresses } = this.#options.state;
    const services = cidrBounds(settings.serviceRange);
    const gateway = cidrBounds(addresses.gateway);
    const nodePorts = [...this.#options.state.services.values()].flatMap((service) =>
      service.ports.flatMap(({ nodePort, protocol }) =>
        nodePort === undefined || protocol === "SCTP" ? [] : [{ port: nodePort, protocol }],
      ),
    );
    const pods = cidrBounds(settings.podRange);
    return [
      ...(services === undefined ? [] : [{ addresses: services }]),
      // Whatever of the pods' range is reached here, not forwarded, is a node.
      ...(pods === undefined ? [] : nodePorts.map((each) => ({ addresses: pods, ...each }))),
      ...(gateway === undefined
        ? []
        : [80, 443, EGRESS_PORT].map((port) => ({ addresses: gateway, port, protocol: "TCP" as const }))),
    ];
  }

  /** Packets that shall not even be answered: to Services none of whose endpoints may be reached, DNS, API, ingress. */
  #denied(): DeniedTarget[] {
    const { state } = this.#options;
    const { dns, api, gateway } = state.addresses;
    const denied: DeniedTarget[] = [];
    const fixed = [
      { to: dns, protocol: "UDP", port: 53 },
      { to: dns, protocol: "TCP", port: 53 },
      { to: api, protocol: "TCP", port: 443 },
      { to: gateway, protocol: "TCP", port: 80 },
      { to: gateway, protocol: "TCP", port: 443 },
    ] as const;
    const held = [...this.#index].flatMap(([ip, isolation]) => (isolation.egress === undefined ? [] : [ip]));
    for (const from of held) {
      for (const target of fixed)
        if (!this.mayReach(from, target.to, target.port, target.protocol)) denied.push({ from, ...target });
    }
    for (const service of state.services.values()) {
      const ips = service.clusterIPs.filter((ip) => ip !== dns && ip !== api);
      for (const { port, protocol, endpoints } of ips.length === 0 ? [] : service.ports) {
        const ready = endpoints.filter((e) => e.ready);
        if (ready.length === 0) continue;
        // Where no endpoint is isolated, only pods that are held back themselves can be refused.
        const guarded = ready.some((e) => this.#index.get(e.ip)?.ingress !== undefined);
        for (const from of guarded ? state.pods.keys() : held) {
          const open = ready.some((e) => this.mayReach(from, e.ip, e.port, protocol));
          if (!open) denied.push(...ips.map((to) => ({ from, to, protocol, port })));
        }
      }
      if (denied.length > MOST_DENIED) return denied.slice(0, MOST_DENIED);
    }
    return denied;
  }

  close(): void {
    this.#closed = true;
    void this.#firewall?.then(
      (firewall) => firewall.close(),
      () => {},
    );
  }
}

const bareEnforcement: PolicyEnforcement = {
  kind: "partial",
  why: "the bare sandbox holds programs of Node.js to policies, not native programs",
};
