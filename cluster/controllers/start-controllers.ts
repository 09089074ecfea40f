/** Starts everything that upstream's kube-controller-manager runs, over one set of informers. */
import type { Clock, EventRecorder, KubeClient, Logger } from "@travelops/kube";
import { eventRecorder, silentLogger, systemClock } from "@travelops/kube";
import type { Controller, ControllerContext } from "./context.ts";
import { deploymentController } from "./deployment/controller.ts";
import { type SharedInformers, sharedInformers } from "./informers.ts";
import { replicaSetController } from "./replica-set/controller.ts";

export interface ControllersOptions {
  client: KubeClient;
  signal: AbortSignal;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
  /** Shared with the scheduler and others of the same process; made here where absent. */
  informers?: SharedInformers;
  /** Runs only these, by name. */
  only?: readonly string[];
}

/** By the names that upstream's `--controllers` has. */
const CONTROLLERS: Readonly<Record<string, Controller>> = {
  "replicaset-controller": replicaSetController,
  "deployment-controller": deploymentController,
};

/** Runs until `signal` aborts; resolves when all have ended. */
export async function startControllers(options: ControllersOptions): Promise<void> {
  const { client, signal } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const log = options.log ?? silentLogger;
  const informers = options.informers ?? sharedInformers({ client, signal, clock, random, log });
  const context: ControllerContext = {
    client,
    informers,
    clock,
    random,
    log,
    signal,
    recorder: recorders(client, clock, log),
  };
  const running = Object.entries(CONTROLLERS).filter(([name]) => options.only?.includes(name) ?? true);
  await Promise.all(running.map(([, run]) => run(context)));
  if (options.informers === undefined) await informers.stopped;
}

function recorders(client: KubeClient, clock: Clock, log: Logger): (component: string) => EventRecorder {
  const known = new Map<string, EventRecorder>();
  return (component) => {
    const found = known.get(component);
    if (found !== undefined) return found;
    const made = eventRecorder(client, component, clock, { log });
    known.set(component, made);
    return made;
  };
}
