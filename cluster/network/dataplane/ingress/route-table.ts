/** All hosts that the ingress serves, looked up by request. Rebuilt when a front changes; reads are map lookups. */
import type { FrontConfig, HostConfig, WeightedBackend } from "../../config.ts";
import { canonicalHost, saidByPods } from "../../sibling-names.ts";
import { compareRules, hostCandidates, matches, type RankedRule, type RequestHead } from "./match.ts";

export type Scheme = "http" | "https";

export type Found =
  | { readonly kind: "rule"; readonly ranked: RankedRule }
  | { readonly kind: "redirect-to-https" }
  /** The host is known, the path or the headers fit no rule. */
  | { readonly kind: "no-rule" }
  | { readonly kind: "no-host" };

/** A host whose TLS carries no HTTP for us: left alone, or ended here. */
export interface Passthrough {
  readonly kind: "untouched" | "terminated";
  readonly backends: readonly WeightedBackend[];
  readonly gateways: readonly string[] | undefined;
}

const covers = ({ oneLabel, hostname: pattern }: HostConfig, hostname: string): boolean =>
  oneLabel !== true || pattern.split(".").length === hostname.split(".").length;

interface HostEntry {
  readonly rules: RankedRule[];
  readonly hosts: { front: FrontConfig; host: HostConfig }[];
}

export class RouteTable {
  readonly #hosts = new Map<string, HostEntry>();
  readonly #appsDomain: string;

  constructor(fronts: Iterable<FrontConfig>, appsDomain: string) {
    this.#appsDomain = appsDomain;
    for (const front of fronts) for (const host of front.hosts) this.#add(front, host);
    for (const entry of this.#hosts.values()) {
      entry.rules.sort(compareRules);
      entry.hosts.sort((a, b) => a.front.created - b.front.created || (a.front.owner < b.front.owner ? -1 : 1));
    }
  }

  #add(front: FrontConfig, host: HostConfig): void {
    const name = this.#canonical(host.hostname.toLowerCase());
    const entry = this.#hosts.get(name) ?? { rules: [], hosts: [] };
    this.#hosts.set(name, entry);
    entry.hosts.push({ front, host });
    host.rules.forEach((rule, index) => entry.rules.push({ front, host, rule, index }));
  }

  /** Whether a host is said as pods say it. */
  saidByPods(hostname: string): boolean {
    return saidByPods(hostname, this.#appsDomain);
  }

  #canonical(hostname: string): string {
    return canonicalHost(hostname, this.#appsDomain);
  }

  /** Candidates, the most specific first. Names of our own apps domain never fall to a catch-all: a typo gets a 404 that helps. */
  #entries(said: string): HostEntry[] {
    const hostname = this.#canonical(said);
    const found: HostEntry[] = [];
    for (const candidate of hostCandidates(hostname)) {
      if (candidate === "*" && hostname.endsWith(`.${this.#appsDomain}`)) continue;
      const entry = this.#hosts.get(candidate);
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** `anyScheme`: on a host's own local port, where plain HTTP and TLS both do. */
  find(hostname: string, scheme: Scheme, head: RequestHead, anyScheme = false): Found {
    for (const entry of this.#entries(hostname)) {
      const usable = ({ host }: RankedRule): boolean =>
        (anyScheme || host[scheme] !== "none") && covers(host, hostname);
      if (!entry.rules.some(usable)) continue;
      const ranked = entry.rules.find((r) => usable(r) && matches(r.rule.match, head));
      if (ranked === undefined) return { kind: "no-rule" };
      return !anyScheme && ranked.host[scheme] === "redirect"
        ? { kind: "redirect-to-https" }
        : { kind: "rule", ranked };
    }
    return { kind: "no-host" };
  }

  /** Backends of a host whose TLS is passed through. */
  passthrough(hostname: string): Passthrough | undefined {
    for (const entry of this.#entries(hostname)) {
      for (const { front, host } of entry.hosts) {
        if (!covers(host, hostname)) continue;
        const { gateways } = front;
        if (host.passthrough !== undefined) return { kind: "untouched", backends: host.passthrough, gateways };
        if (host.terminated !== undefined) return { kind: "terminated", backends: host.terminated, gateways };
      }
      if (entry.rules.some((r) => covers(r.host, hostname))) return undefined;
    }
    return undefined;
  }

  certificate(hostname: string): { cert: string; key: string } | undefined {
    for (const entry of this.#entries(hostname)) {
      for (const { host } of entry.hosts)
        if (host.certificate !== undefined && covers(host, hostname)) return host.certificate;
    }
    return undefined;
  }

  /** Who serves a host, for pages. */
  owners(hostname: string): string[] {
    return this.#entries(hostname)
      .slice(0, 1)
      .flatMap((entry) => entry.hosts.map((h) => h.front.owner));
  }

  /** Whether somebody asked for this very host, be it by a wildcard; who takes just any does not count. */
  serves(hostname: string): boolean {
    return hostCandidates(this.#canonical(hostname)).some(
      (candidate) => candidate !== "*" && this.#hosts.has(candidate),
    );
  }

  /** Host names to show to whoever asked for one that does not exist. */
  names(): string[] {
    return [...this.#hosts.keys()].filter((name) => !name.includes("*")).toSorted();
  }
}
