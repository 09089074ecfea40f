/**
 * Follows every object of every kind, custom resources included, and keeps of each only who it is, who owns it and
 * what holds it: what garbage collection and the deletion of namespaces need to know.
 */
import type {
  Clock,
  DiscoveredResource,
  Discovery,
  KubeClient,
  KubeObject,
  Logger,
  OwnerReference,
} from "@travelops/kube";
import { CUSTOM_RESOURCE_DEFINITIONS, discover, isTrue } from "@travelops/kube";
import { type ReflectorSink, runReflector } from "@travelops/kube/controller/reflector";
import type { SharedInformers } from "./informers.ts";

export interface Observed {
  readonly resource: DiscoveredResource;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deleting: boolean;
}

export type Observation =
  | { readonly type: "seen"; readonly object: Observed; readonly before?: Observed }
  | { readonly type: "gone"; readonly object: Observed };

export interface ObjectMonitors {
  readonly discovery: Discovery;
  /** Called for every change from now on; what is known already comes first. */
  onObservation(listener: (observation: Observation) => void): () => void;
  /** Called when kinds have come or gone. */
  onKinds(listener: () => void): () => void;
  /** Starts on the first call; resolves once every kind's state is in. */
  synced(): Promise<void>;
  readonly stopped: Promise<void>;
}

export interface ObjectMonitorsOptions {
  client: KubeClient;
  informers: SharedInformers;
  signal: AbortSignal;
  clock: Clock;
  random: () => number;
  log: Logger;
}

const NONE: readonly never[] = [];
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 30_000;

export const objectMonitors = (options: ObjectMonitorsOptions): ObjectMonitors => new Monitors(options);

interface Monitor {
  readonly abort: AbortController;
  readonly synced: Promise<void>;
  readonly objects: Map<string, Observed>;
}

class Monitors implements ObjectMonitors {
  readonly discovery: Discovery;
  readonly stopped: Promise<void>;
  readonly #options: ObjectMonitorsOptions;
  readonly #monitors = new Map<string, Monitor>();
  readonly #runs = new Set<Promise<void>>();
  readonly #listeners = new Set<(observation: Observation) => void>();
  readonly #kindListeners = new Set<() => void>();
  #started: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #again = false;
  #retryMs = FIRST_RETRY_MS;

  constructor(options: ObjectMonitorsOptions) {
    this.#options = options;
    this.discovery = discover(options.client.transport);
    this.stopped = new Promise((resolve) => {
      const onAbort = (): void => {
        for (const { abort } of this.#monitors.values()) abort.abort();
        void Promise.all(this.#runs).then(() => resolve());
      };
      if (options.signal.aborted) onAbort();
      else options.signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  onObservation(listener: (observation: Observation) => void): () => void {
    for (const { objects } of this.#monitors.values()) {
      for (const object of objects.values()) listener({ type: "seen", object });
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onKinds(listener: () => void): () => void {
    this.#kindListeners.add(listener);
    return () => this.#kindListeners.delete(listener);
  }

  synced(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    const definitions = this.#options.informers.of(CUSTOM_RESOURCE_DEFINITIONS);
    await definitions.synced();
    await this.#refresh();
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.synced));
    definitions.onEvent((event) => {
      if (event.type !== "updated" || !isSameKind(event.object, event.old)) void this.#refresh();
    });
  }

  /** One at a time; a call while one runs leads to one more. */
  #refresh(): Promise<void> {
    if (this.#refreshing !== undefined) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refreshOnce().finally(() => {
      this.#refreshing = undefined;
      if (!this.#again) return;
      this.#again = false;
      void this.#refresh();
    });
    return this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    const { signal, log, clock } = this.#options;
    if (signal.aborted) return;
    try {
      this.discovery.refresh();
      const wanted = (await this.discovery.all()).filter(isFollowed);
      this.#follow(wanted);
      if (this.#awaitsDiscovery(wanted)) throw new Error("a new kind is not served yet");
      this.#retryMs = FIRST_RETRY_MS;
    } catch (error) {
      if (signal.aborted) return;
      log.debug("discovery is asked again", { err: error });
      clock.setTimeout(() => void this.#refresh(), this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    }
  }

  /** A CRD can say that it is established a moment before discovery lists its kind. */
  #awaitsDiscovery(served: readonly DiscoveredResource[]): boolean {
    const names = new Set(served.map(({ group, resource }) => `${resource}.${group}`));
    return this.#options.informers
      .of(CUSTOM_RESOURCE_DEFINITIONS)
      .list()
      .some(
        (definition) =>
          isTrue(definition.status?.conditions, "Established") &&
          definition.metadata.deletionTimestamp === undefined &&
          definition.spec.versions.some((version) => version.served) &&
          !names.has(definition.metadata.name ?? ""),
      );
  }

  #follow(wanted: readonly DiscoveredResource[]): void {
    const keys = new Set<string>();
    let changed = false;
    for (const resource of wanted) {
      const key = `${resource.group}/${resource.version}/${resource.resource}`;
      keys.add(key);
      if (this.#monitors.has(key)) continue;
      this.#monitors.set(key, this.#monitor(resource));
      changed = true;
    }
    for (const [key, { abort, objects }] of this.#monitors) {
      if (keys.has(key)) continue;
      this.#monitors.delete(key);
      abort.abort();
      // Kinds go after their last object; what is left here is no longer served.
      for (const object of objects.values()) this.#tell({ type: "gone", object });
      changed = true;
    }
    if (changed) for (const listener of this.#kindListeners) listener();
  }

  #monitor(resource: DiscoveredResource): Monitor {
    const { client, clock, random, log } = this.#options;
    const abort = new AbortController();
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const objects = new Map<string, Observed>();
    const sink: ReflectorSink<KubeObject> = {
      replace: (listed) => {
        const uids = new Set(listed.map((object) => object.metadata.uid));
        for (const object of objects.values()) if (!uids.has(object.uid)) this.#gone(objects, object);
        for (const object of listed) this.#seen(objects, resource, object);
        resolve();
      },
      upsert: (object) => this.#seen(objects, resource, object),
      remove: (object) => {
        const known = objects.get(object.metadata.uid ?? "");
        if (known !== undefined) this.#gone(objects, known);
      },
    };
    const source = {
      list: (signal: AbortSignal) => client.list(resource, { signal }),
      watch: (options: { resourceVersion?: string; sendInitialEvents?: boolean; signal: AbortSignal }) =>
        client.watch(resource, options),
    };
    const run = runReflector(source, sink, abort.signal, {
      name: resource.resource,
      clock,
      random,
      log,
    }).then(resolve);
    this.#runs.add(run);
    void run.finally(() => this.#runs.delete(run));
    return { abort, synced, objects };
  }

  #seen(objects: Map<string, Observed>, resource: DiscoveredResource, object: KubeObject): void {
    const observed = observe(resource, object);
    const before = objects.get(observed.uid);
    objects.set(observed.uid, observed);
    this.#tell({ type: "seen", object: observed, before });
  }

  #gone(objects: Map<string, Observed>, object: Observed): void {
    objects.delete(object.uid);
    this.#tell({ type: "gone", object });
  }

  #tell(observation: Observation): void {
    for (const listener of this.#listeners) listener(observation);
  }
}

export function observe(resource: DiscoveredResource, { metadata }: KubeObject): Observed {
  return {
    resource,
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    owners: metadata.ownerReferences ?? NONE,
    finalizers: metadata.finalizers ?? NONE,
    deleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Events own nothing, are owned by nothing, and come in masses. */
const isFollowed = ({ resource, verbs }: DiscoveredResource): boolean =>
  resource !== "events" && ["list", "watch", "delete"].every((verb) => verbs.includes(verb));

function isSameKind(a: KubeObject, b: KubeObject): boolean {
  const conditions = (object: KubeObject) => (object["status"] as { conditions?: never[] } | undefined)?.conditions;
  return (
    a.metadata.generation === b.metadata.generation &&
    isTrue(conditions(a), "Established") === isTrue(conditions(b), "Established")
  );
}
