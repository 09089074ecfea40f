/** One informer a kind for everything in the process, started when first asked for. */
import type { Clock, Informer, KubeClient, KubeObject, Logger, Resource } from "@travelops/kube";
import { controllerOf, createInformer } from "@travelops/kube";

export interface SharedInformers {
  of<T extends KubeObject>(resource: Resource<T>): Informer<T>;
  /** Resolves when all have stopped, after the signal given at the making has aborted. */
  readonly stopped: Promise<void>;
}

export interface SharedInformersOptions {
  client: KubeClient;
  signal: AbortSignal;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
}

/** Every shared informer has these. */
export const BY_CONTROLLER = "controller";
/** Objects without a controller, by namespace. */
export const ORPHANS = "orphans";

/** Makes the set; it watches nothing until something is asked for. */
export function sharedInformers(options: SharedInformersOptions): SharedInformers {
  const { client, signal, clock, random, log } = options;
  const informers = new Map<string, Informer>();
  const runs: Promise<void>[] = [];
  const stopped = new Promise<void>((resolve) => {
    const onAbort = (): void => void Promise.all(runs).then(() => resolve());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  return {
    stopped,
    of<T extends KubeObject>(resource: Resource<T>): Informer<T> {
      const key = `${resource.group}/${resource.version}/${resource.resource}`;
      const known = informers.get(key);
      // The key names the resource, and with it the type.
      if (known !== undefined) return known as Informer<T>;
      const informer = createInformer(client, resource, {
        clock,
        random,
        log,
        managedFields: "drop",
        indexes: {
          [BY_CONTROLLER]: (object) => uidOfController(object),
          [ORPHANS]: (object) => (controllerOf(object) === undefined ? [object.metadata.namespace ?? ""] : []),
        },
      });
      informers.set(key, informer);
      runs.push(informer.run(signal));
      return informer;
    },
  };
}

function uidOfController(object: KubeObject): string[] {
  const owner = controllerOf(object);
  return owner === undefined ? [] : [owner.uid];
}
