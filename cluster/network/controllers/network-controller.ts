/** Follows the API and keeps the dataplane, the statuses and the local ports as the objects want them. One look a turn, however many events. */
import type { Clock, EventRecorder, Informer, KubeClient, Logger, Pod, Service } from "@travelops/kube";
import { eventRecorder, INGRESSES } from "@travelops/kube";
import type { ClusterAddresses } from "../address.ts";
import type { PolicyEnforcement } from "../config.ts";
import type { DataplaneLink } from "./dataplane-link.ts";
import { compileGatewayApi, type CompiledGatewayApi } from "./gateway-api.ts";
import { compileIngress, servesIngress } from "./ingress.ts";
import { IntentWriter } from "./intent-writer.ts";
import { KeyPairs } from "./key-pair.ts";
import type { Fronted, LocalUrls, NetworkUrl } from "./local-urls.ts";
import { PolicyFeed } from "./policy-feed.ts";
import { compileRoutes } from "./route.ts";
import { compilePod, compileService, SERVICE_NAME_LABEL } from "./service-config.ts";
import {
  gatewayApiIntents,
  ingressIntents,
  routeIntents,
  serviceIntents,
  urlIntents,
  type Intent,
} from "./status-intents.ts";
import { GATEWAYS, GRPC_ROUTES, HTTP_ROUTES, ROUTES, TLS_ROUTES } from "./types.ts";
import { builtIn, concernsIngress, custom, ingressObjects, watch, worldOf, type Watched } from "./watched.ts";

export interface NetworkControllerOptions {
  readonly client: KubeClient;
  readonly link: DataplaneLink;
  readonly urls: LocalUrls;
  readonly appsDomain: string;
  readonly addresses: ClusterAddresses;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const ZONE_LABEL = "topology.kubernetes.io/zone";
const ROUTE_RESOURCES = { HTTPRoute: HTTP_ROUTES, GRPCRoute: GRPC_ROUTES, TLSRoute: TLS_ROUTES } as const;

export class NetworkController {
  readonly #options: NetworkControllerOptions;
  readonly #watched: Watched;
  readonly #writer: IntentWriter;
  readonly #policies: PolicyFeed;
  readonly #keyPairs = new KeyPairs();
  readonly #dirtyServices = new Set<string>();
  readonly #podIPs = new Map<string, string>();
  #dirtyPods = new Map<string, Pod | undefined>();
  #ingressDirty = true;
  #ingressReady = false;
  readonly #events: EventRecorder;
  /** Ports that their users know to be taken. */
  readonly #told = new Set<string>();
  #scheduled = false;
  #zones = false;
  #fronted: readonly Fronted[] = [];

  constructor(options: NetworkControllerOptions) {
    this.#options = options;
    this.#watched = watch(options.client, options);
    this.#writer = new IntentWriter({ ...options, again: () => this.#markIngress() });
    this.#events = eventRecorder(options.client, "network", options.clock, { log: options.log });
    this.#policies = new PolicyFeed({ ...options, watched: this.#watched, events: this.#events });
    this.#connect();
  }

  /** Follows the built-in kinds; resolves when Services, endpoints and pods are known. */
  async start(): Promise<void> {
    const { signal } = this.#options;
    for (const informer of builtIn(this.#watched)) void informer.run(signal);
    const w = this.#watched;
    await Promise.all([w.services, w.slices, w.pods, w.namespaces, w.networkPolicies].map((i) => i.synced()));
    this.#flush();
  }

  /** Follows the custom kinds too, once their CRDs are there; resolves when the ingress stands. */
  async startIngress(): Promise<void> {
    for (const informer of custom(this.#watched)) void informer.run(this.#options.signal);
    await Promise.all([...builtIn(this.#watched), ...custom(this.#watched)].map((i) => i.synced()));
    this.#ingressReady = true;
    this.#flush();
  }

  #connect(): void {
    const w = this.#watched;
    w.services.onEvent((event) => {
      this.#dirtyServices.add(`${event.object.metadata.namespace ?? ""}/${event.object.metadata.name ?? ""}`);
      if (concernsIngress(event)) this.#ingressDirty = true;
      this.#schedule();
    });
    w.slices.onEvent(({ object }) => {
      this.#dirtyServices.add(
        `${object.metadata.namespace ?? ""}/${object.metadata.labels?.[SERVICE_NAME_LABEL] ?? ""}`,
      );
      this.#schedule();
    });
    w.pods.onEvent(({ type, object }) => {
      this.#dirtyPods.set(
        `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`,
        type === "deleted" ? undefined : object,
      );
      this.#schedule();
    });
    w.namespaces.onEvent((event) => void (concernsIngress(event) && this.#markIngress()));
    // Policies wait for no look at the ingress; with none there is nothing to do for any of these.
    for (const informer of [w.networkPolicies, w.pods, w.namespaces, w.gateways] as Informer[])
      informer.onEvent(() => this.#policies.mark());
    w.networkPolicies.onEvent(() => this.#schedule());
    for (const informer of ingressObjects(w)) (informer as Informer).onEvent(() => this.#markIngress());
  }

  #markIngress(): void {
    this.#ingressDirty = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#options.signal.aborted) this.#flush();
    });
  }

  #flush(): void {
    const w = this.#watched;
    if (w.services.hasSynced && w.slices.hasSynced) this.#flushServices();
    if (w.pods.hasSynced) this.#flushPods();
    this.#policies.flush();
    if (this.#ingressReady && this.#ingressDirty) this.#flushIngress();
    this.#options.link.flush();
  }

  /** Zones are of use once a Service prefers its client's: from then on nodes are followed, and pods looked at again. */
  #followZones(): void {
    if (this.#zones) return;
    this.#zones = true;
    const { nodes, pods } = this.#watched;
    const again = (): void => {
      for (const pod of pods.list())
        this.#dirtyPods.set(`${pod.metadata.namespace ?? ""}/${pod.metadata.name ?? ""}`, pod);
      this.#schedule();
    };
    nodes.onEvent(({ type, object, old }) => {
      if (type !== "updated" || object.metadata.labels?.[ZONE_LABEL] !== old.metadata.labels?.[ZONE_LABEL]) again();
    });
    void nodes.run(this.#options.signal);
  }

  #flushServices(): void {
    const { link } = this.#options;
    for (const key of this.#dirtyServices) {
      const [namespace = "", name = ""] = key.split("/");
      const service = this.#watched.services.get(namespace, name);
      if (service?.spec.trafficDistribution !== undefined) this.#followZones();
      link.set(
        "services",
        key,
        service === undefined ? null : compileService(service, this.#watched.slices.byIndex("service", key)),
      );
    }
    this.#dirtyServices.clear();
  }

  #flushPods(): void {
    const { link } = this.#options;
    const dirty = this.#dirtyPods;
    const zoneOf = (node: string): string | undefined =>
      this.#zones ? this.#watched.nodes.get("", node)?.metadata.labels?.[ZONE_LABEL] : undefined;
    this.#dirtyPods = new Map();
    // First what went, then what came: an address may have changed hands within the turn.
    for (const [key, pod] of dirty) {
      const old = this.#podIPs.get(key);
      const row = pod === undefined ? undefined : compilePod(pod, zoneOf);
      if (old === undefined || old === row?.ip) continue;
      this.#podIPs.delete(key);
      if (![...this.#podIPs.values()].includes(old)) link.set("pods", old, null);
    }
    for (const [key, pod] of dirty) {
      const row = pod === undefined ? undefined : compilePod(pod, zoneOf);
      if (row === undefined) continue;
      this.#podIPs.set(key, row.ip);
      link.set("pods", row.ip, row);
    }
  }

  #flushIngress(): void {
    const { link, clock, appsDomain, urls, log } = this.#options;
    this.#ingressDirty = false;
    const w = this.#watched;
    const world = worldOf(w, appsDomain, this.#keyPairs);
    const routes = compileRoutes(w.routes.list(), world);
    const ingresses = w.ingresses.list().filter((i) => servesIngress(i, w.ingressClasses.list()));
    const gatewayApi = compileGatewayApi(world, {
      http: w.httpRoutes.list(),
      grpc: w.grpcRoutes.list(),
      tls: w.tlsRoutes.list(),
    });
    const fronted: Fronted[] = [
      ...routes.flatMap(({ route, front }) =>
        front === undefined ? [] : [{ resource: ROUTES, object: route, front }],
      ),
      ...ingresses.map((ingress) => ({
        resource: INGRESSES,
        object: ingress,
        front: compileIngress(ingress, world),
      })),
      ...gatewayApi.routes.flatMap(({ kind, route, front }) =>
        front === undefined ? [] : [{ resource: ROUTE_RESOURCES[kind], object: route, front }],
      ),
    ];
    const gone = new Set(link.keys("fronts"));
    for (const { front } of fronted) {
      gone.delete(front.owner);
      link.set("fronts", front.owner, front);
    }
    for (const owner of gone) link.set("fronts", owner, null);
    this.#fronted = fronted;
    const now = clock.now();
    const services = w.services.list();
    this.#writer.write([
      ...routes.flatMap((route) => routeIntents(route, appsDomain, now)),
      ...ingresses.flatMap(ingressIntents),
      ...services.flatMap(serviceIntents),
      ...gatewayApiIntents(gatewayApi, now),
    ]);
    urls
      .reconcile(fronted, services)
      .then(() => this.#annotate(fronted, services, gatewayApi))
      .catch((error: unknown) => log.error("local ports", { err: error }));
  }

  /** Says on the objects where they answer, as soon as the ports are known. */
  #annotate(fronted: readonly Fronted[], services: readonly Service[], gatewayApi: CompiledGatewayApi): void {
    if (this.#options.signal.aborted || this.#fronted !== fronted) return;
    const { urls } = this.#options;
    const gateways: Intent[] = gatewayApi.gateways.flatMap(({ gateway, host }) =>
      urlIntents(GATEWAYS, gateway, urls.hostUrl(host)),
    );
    this.#writer.write([...urls.intents(fronted, services), ...gateways]);
    for (const { service, wanted, port } of urls.moved(services)) {
      const said = `${service.metadata.uid ?? ""} ${wanted} ${port}`;
      if (this.#told.has(said)) continue;
      this.#told.add(said);
      const message = `127.0.0.1:${wanted} is held by another program; this node port answers at 127.0.0.1:${port} outside the cluster`;
      this.#events.record(service, "Warning", "PortInUse", message);
    }
  }

  urls(): NetworkUrl[] {
    return this.#options.urls.urls(this.#fronted);
  }

  /** The dataplane has said how far it enforces NetworkPolicies. */
  policiesEnforced(enforcement: PolicyEnforcement): void {
    this.#policies.enforced(enforcement);
  }

  /** After the dataplane came back: look at everything again, ports that were lost are opened anew. */
  relook(): void {
    this.#markIngress();
  }

  close(): void {
    this.#writer.close();
  }
}
