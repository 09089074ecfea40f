/** One stable port of 127.0.0.1 for each host of the ingress and each NodePort or LoadBalancer port; and the URLs to show. */
import type { KubeObject, Logger, Resource, Service } from "@travelops/kube";
import { SERVICES } from "@travelops/kube";
import type { FrontConfig, HostConfig } from "../config.ts";
import type { HostListeners } from "./host-listeners.ts";
import { portCandidates, recordedPorts } from "./local-port.ts";
import { LOCAL_URL_ANNOTATION, urlIntents, type Intent } from "./status-intents.ts";

export interface NetworkUrl {
  readonly name: string;
  readonly kind: string;
  readonly namespace: string;
  /** For browsers and curl. */
  readonly url: string;
  /** For programs that do not resolve `*.localhost`. */
  readonly localUrl?: string;
}

/** An object of the ingress with its front, and where its annotation goes. */
export interface Fronted {
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly front: FrontConfig;
}

const isNamed = (host: HostConfig): boolean => !host.hostname.includes("*");
const serviceId = (key: string, port: { readonly port: number; readonly protocol?: string }): string =>
  `service ${key} ${port.port}${port.protocol === "UDP" ? "/UDP" : ""}`;
const hostId = (hostname: string): string => `host ${hostname}`;

export interface LocalUrlsOptions {
  readonly cluster: string;
  readonly ports: () => { http: number; https: number };
  /** Whether UDP reaches pods at all. */
  readonly udp: boolean;
  readonly log: Logger;
}

export class LocalUrls {
  readonly #listeners: HostListeners;
  readonly #options: LocalUrlsOptions;
  readonly #failed = new Set<string>();

  constructor(listeners: HostListeners, options: LocalUrlsOptions) {
    this.#listeners = listeners;
    this.#options = options;
  }

  /** Opens and closes listeners; resolves when all wanted ones are open. */
  async reconcile(fronted: readonly Fronted[], services: readonly Service[]): Promise<void> {
    const wanted = new Map<string, () => Promise<unknown>>();
    for (const { object, front } of fronted) {
      const recorded = recordedPorts(object.metadata.annotations?.[LOCAL_URL_ANNOTATION]);
      front.hosts.filter(isNamed).forEach((host, index) => {
        const id = hostId(host.hostname);
        if (wanted.has(id)) return;
        const ports = portCandidates(this.#options.cluster, host.hostname, recorded.slice(index, index + 1));
        wanted.set(id, () => this.#listeners.ensure(id, { kind: "host", hostname: host.hostname }, ports));
      });
    }
    for (const service of services) this.#wantService(service, wanted);
    for (const id of this.#listeners.ids())
      if (/^(host|service) /.test(id) && !wanted.has(id)) this.#listeners.drop(id);
    await Promise.all(
      [...wanted].map(([id, open]) =>
        open().then(
          () => this.#failed.delete(id),
          (error: unknown) => this.#report(id, error),
        ),
      ),
    );
  }

  #report(id: string, error: unknown): void {
    if (this.#failed.has(id)) return;
    this.#failed.add(id);
    this.#options.log.warn(`no local port for ${id}`, { err: error });
  }

  #wantService(service: Service, wanted: Map<string, () => Promise<unknown>>): void {
    const { type } = service.spec;
    if (type !== "NodePort" && type !== "LoadBalancer") return;
    const key = `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`;
    const recorded = recordedPorts(service.metadata.annotations?.[LOCAL_URL_ANNOTATION]);
    const protocols = this.#options.udp ? ["TCP", "UDP"] : ["TCP"];
    const served = (service.spec.ports ?? []).filter((p) => protocols.includes(p.protocol ?? "TCP"));
    served.forEach((port, index) => {
      const id = serviceId(key, port);
      const udp = port.protocol === "UDP" ? ({ protocol: "UDP" } as const) : {};
      const own = [port.nodePort, type === "LoadBalancer" ? port.port : undefined].filter((p) => p !== undefined);
      const name = `${key}:${port.port}${port.protocol === "UDP" ? "/UDP" : ""}`;
      const ports = portCandidates(this.#options.cluster, name, [...recorded.slice(index, index + 1), ...own]);
      wanted.set(id, () =>
        this.#listeners.ensure(id, { kind: "service", service: key, port: port.port, ...udp }, ports),
      );
    });
  }

  /** Annotations that do not say yet where the object answers. */
  intents(fronted: readonly Fronted[], services: readonly Service[]): Intent[] {
    return [
      ...fronted.flatMap(({ resource, object, front }) =>
        urlIntents(
          resource,
          object,
          front.hosts.filter(isNamed).flatMap((h) => this.#localUrl(h) ?? []),
        ),
      ),
      ...services.flatMap((service) => urlIntents(SERVICES, service, this.#serviceUrls(service))),
    ];
  }

  #serviceUrls(service: Service): string[] {
    const key = `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`;
    return (service.spec.ports ?? []).flatMap((port) => {
      const local = this.#listeners.port(serviceId(key, port));
      if (local === undefined) return [];
      return port.protocol === "UDP"
        ? [`udp://127.0.0.1:${local}`]
        : [`${port.name === "https" || port.port === 443 ? "https" : "http"}://127.0.0.1:${local}`];
    });
  }

  /** Node ports that another program of this machine holds, so that they answer at another number. */
  moved(services: readonly Service[]): { service: Service; wanted: number; port: number }[] {
    return services.flatMap((service) =>
      (service.spec.ports ?? []).flatMap((each) => {
        const key = `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`;
        const port = this.#listeners.port(serviceId(key, each));
        const wanted = each.nodePort ?? 0;
        return port === undefined || wanted === 0 || port === wanted ? [] : [{ service, wanted, port }];
      }),
    );
  }

  #localUrl(host: HostConfig): string | undefined {
    const port = this.#listeners.port(hostId(host.hostname));
    return port === undefined ? undefined : `${host.passthrough === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  }

  /** Where a host answers on 127.0.0.1, if it does. */
  hostUrl(hostname: string): string[] {
    const port = this.#listeners.port(hostId(hostname));
    return port === undefined ? [] : [`http://127.0.0.1:${port}`];
  }

  /** One row a named host. */
  urls(fronted: readonly Fronted[]): NetworkUrl[] {
    const ports = this.#options.ports();
    return fronted.flatMap(({ object, front }) =>
      front.hosts.filter(isNamed).map((host): NetworkUrl => {
        const scheme = host.http === "serve" ? "http" : "https";
        const shown = ports[scheme] === (scheme === "http" ? 80 : 443) ? "" : `:${ports[scheme]}`;
        const path =
          host.rules.map((r) => r.match.path).find((p) => p.type !== "RegularExpression" && p.value.startsWith("/"))
            ?.value ?? "/";
        const localUrl = this.#localUrl(host);
        return {
          name: object.metadata.name ?? "",
          kind: object.kind,
          namespace: object.metadata.namespace ?? "",
          url: `${scheme}://${host.hostname}${shown}${path}`,
          ...(localUrl === undefined ? {} : { localUrl: `${localUrl}${path}` }),
        };
      }),
    );
  }
}
