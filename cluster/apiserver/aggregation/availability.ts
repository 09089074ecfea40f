/** Whether the servers behind APIServices answer: the condition `Available`, and what they say they serve. */
import { formatTime } from "@travelops/kube/api/clock";
import type { KubeObject } from "@travelops/kube";
import type { StoreEvent } from "../../store/store.ts";
import { array, read, text } from "../registry/printers/printer.ts";
import type { ServerCore } from "../server-options.ts";
import { ownStatus } from "../system/own-status.ts";
import { systemActor } from "../system/system-actor.ts";
import type { Aggregation } from "./aggregation.ts";
import { API_SERVICES, conditionsOf, type ApiServiceCondition, type RemoteApi } from "./api-service.ts";
import { RemoteOpenApiV2 } from "./remote-openapi-v2.ts";
import { ask, reasonOf, urlOf } from "./remote-server.ts";

const AGAIN_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const SLICES = "endpointslices.discovery.k8s.io";

/** One resource of a legacy APIResourceList. */
export interface RemoteResource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly kind?: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

/** What a server told of itself when it was last asked. */
export interface RemoteDocuments {
  readonly resources: readonly RemoteResource[];
  /** Where its OpenAPI v3 document of the group version is, with its hash; undefined: it has none. */
  readonly openApi: string | undefined;
}

type Verdict = Pick<ApiServiceCondition, "status" | "reason" | "message">;
const fault = (reason: string, message: string): Verdict => ({ status: "False", reason, message });

export class Availability {
  readonly openApiV2: RemoteOpenApiV2;
  readonly #core: ServerCore;
  readonly #aggregation: Aggregation;
  readonly #documents = new Map<string, RemoteDocuments>();
  readonly #timers = new Map<string, () => void>();
  readonly #failures = new Map<string, number>();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #stops: (() => void)[];

  constructor(core: ServerCore, aggregation: Aggregation) {
    this.#core = core;
    this.#aggregation = aggregation;
    this.openApiV2 = new RemoteOpenApiV2(core);
    const { store } = core;
    const follow = (table: string, name: (object: KubeObject) => string): (() => void) =>
      store.watch(table, store.revision, ({ object }: StoreEvent) =>
        this.#serviceChanged(object.key.namespace, name(object.object)),
      );
    this.#stops = [
      follow("services.", ({ metadata }) => metadata.name ?? ""),
      follow(SLICES, ({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] ?? ""),
    ];
  }

  documents(name: string): RemoteDocuments | undefined {
    return this.#documents.get(name);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #serviceChanged(namespace: string, name: string): void {
    for (const { service, name: api } of this.#aggregation.all())
      if (service.namespace === namespace && service.name === name) this.check(api);
  }

  /** Asks now; one check of an APIService at a time. */
  check(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    if (this.#running.has(name)) return void this.#again.add(name);
    const remote = this.#remote(name);
    if (remote === undefined) {
      this.#documents.delete(name);
      this.#failures.delete(name);
      return;
    }
    this.#running.add(name);
    this.#examine(remote)
      .catch((error: unknown) => {
        if (!this.#core.closing.aborted)
          this.#core.log.warn("an APIService could not be checked", { name, err: error });
      })
      .finally(() => {
        this.#running.delete(name);
        if (this.#core.closing.aborted) return;
        if (this.#again.delete(name)) return this.check(name);
        this.#timers.set(
          name,
          this.#core.clock.setTimeout(() => this.check(name), this.#wait(name)),
        );
      });
  }

  #remote(name: string): RemoteApi | undefined {
    return this.#aggregation.all().find((each) => each.name === name);
  }

  #wait(name: string): number {
    const failures = this.#failures.get(name) ?? 0;
    return failures === 0 ? AGAIN_MS : Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), AGAIN_MS);
  }

  async #examine(remote: RemoteApi): Promise<void> {
    const verdict = this.#serviceFault(remote) ?? (await this.#discovery(remote));
    if (verdict.reason === "FailedDiscoveryCheck")
      this.#failures.set(remote.name, (this.#failures.get(remote.name) ?? 0) + 1);
    else this.#failures.delete(remote.name);
    await this.#write(remote.name, verdict);
  }

  /** What is wrong with the Service, before anybody is asked. */
  #serviceFault({ service }: RemoteApi): Verdict | undefined {
    const { namespace, name, port } = service;
    const found = this.#core.store.get({ table: "services.", namespace, name })?.object;
    const where = `service/${name} in ${JSON.stringify(namespace)}`;
    if (found === undefined) return fault("ServiceNotFound", `${where} is not present`);
    if (text(read(found, "spec", "type"), "ClusterIP") !== "ClusterIP") return undefined;
    const match = array(read(found, "spec", "ports")).find((each) => read(each, "port") === port);
    if (match === undefined) return fault("ServicePortError", `${where} is not listening on port ${port}`);
    const slices = this.#core.store
      .list(SLICES, { namespace })
      .items.map(({ object }) => object)
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name);
    if (slices.length === 0) return fault("EndpointsNotFound", `cannot find endpointslices for ${where}`);
    const portName = text(read(match, "name"));
    const active = slices.some(
      (slice) =>
        array(slice["endpoints"]).some((endpoint) => read(endpoint, "conditions", "ready") !== false) &&
        array(slice["ports"]).some((each) => text(read(each, "name")) === portName),
    );
    return active
      ? undefined
      : fault(
          "MissingEndpoints",
          `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`,
        );
  }

  async #discovery(remote: RemoteApi): Promise<Verdict> {
    const path = `/apis/${remote.group}/${remote.version}`;
    try {
      const list = (await ask(this.#core, remote, path)) as
        | { readonly resources?: readonly RemoteResource[] }
        | undefined;
      const resources = Array.isArray(list?.resources) ? list.resources : [];
      this.#documents.set(remote.name, { resources, openApi: await this.#openApi(remote) });
      return { status: "True", reason: "Passed", message: "all checks passed" };
    } catch (error) {
      return fault(
        "FailedDiscoveryCheck",
        `failing or missing response from ${urlOf(remote, path)}: ${reasonOf(error)}`,
      );
    }
  }

  /** A server without OpenAPI is served all the same. */
  async #openApi(remote: RemoteApi): Promise<string | undefined> {
    try {
      const index = (await ask(this.#core, remote, "/openapi/v3")) as {
        readonly paths?: Readonly<Record<string, { readonly serverRelativeURL?: string }>>;
      };
      return index.paths?.[`apis/${remote.group}/${remote.version}`]?.serverRelativeURL;
    } catch {
      return undefined;
    }
  }

  async #write(name: string, verdict: Verdict): Promise<void> {
    const { store, clock } = this.#core;
    await store.write({ table: API_SERVICES, namespace: "", name }, systemActor("update"), (current) => {
      if (current === undefined) return { op: "none" };
      const before = conditionsOf(current.object);
      const old = before.find(({ type }) => type === "Available");
      if (old?.status === verdict.status && old.reason === verdict.reason && old.message === verdict.message)
        return { op: "none" };
      const lastTransitionTime = old?.status === verdict.status ? old.lastTransitionTime : formatTime(clock.now());
      const condition = { type: "Available", ...verdict, lastTransitionTime };
      const conditions = [...before.filter(({ type }) => type !== "Available"), condition];
      const object = { ...current.object, status: { conditions } };
      return { op: "put", object: ownStatus(current.object, object, clock.now()) };
    });
  }
}
