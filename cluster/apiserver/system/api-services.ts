/**
 * An APIService for every group version that is served here, kept in step with the registry. Those that point to a
 * Service (aggregation) are stored, and say that nobody serves them.
 */
import { formatTime } from "@travelops/kube/api/clock";
import type { KubeObject } from "@travelops/kube";
import { read } from "../registry/printers/printer.ts";
import type { ServerCore } from "../server-options.ts";
import { systemActor } from "./system-actor.ts";

const TABLE = "apiservices.apiregistration.k8s.io";
const MANAGED = "kube-aggregator.kubernetes.io/automanaged";
const SETTLE_MS = 20;

/** Groups the API server itself is made of come first, custom ones last. */
const priorityOf = (group: string, custom: boolean): number => (custom ? 1000 : group === "" ? 18_000 : 17_000);

function apiService(core: ServerCore, group: string, version: string): KubeObject {
  const custom = core.registry.resources(group, version).every(({ origin }) => origin === "custom");
  const order = core.registry.versions(group).indexOf(version);
  const now = formatTime(core.clock.now());
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: {
      name: `${version}.${group}`,
      uid: core.uuid(),
      creationTimestamp: now,
      labels: { [MANAGED]: custom ? "true" : "onstart" },
    },
    spec: {
      ...(group === "" ? {} : { group }),
      version,
      groupPriorityMinimum: priorityOf(group, custom),
      versionPriority: Math.max(100 - order, 1),
    },
    status: {
      conditions: [
        {
          type: "Available",
          status: "True",
          lastTransitionTime: now,
          reason: "Local",
          message: "Local APIServices are always available",
        },
      ],
    },
  };
}

async function reconcile(core: ServerCore): Promise<void> {
  const wanted = new Map<string, readonly [group: string, version: string]>();
  for (const group of core.registry.groups()) {
    for (const version of core.registry.versions(group)) wanted.set(`${version}.${group}`, [group, version]);
  }
  const writes: Promise<unknown>[] = [];
  for (const [name, [group, version]] of wanted) {
    const key = { table: TABLE, namespace: "", name };
    if (core.store.get(key) !== undefined) continue;
    writes.push(
      core.store.write(key, systemActor("create"), (current) =>
        current === undefined ? { op: "put", object: apiService(core, group, version) } : { op: "none" },
      ),
    );
  }
  for (const stored of core.store.list(TABLE).items) {
    const managed = stored.object.metadata.labels?.[MANAGED] !== undefined;
    if (!managed || wanted.has(stored.key.name) || read(stored.object, "spec", "service") !== undefined) continue;
    writes.push(core.store.write(stored.key, systemActor("delete"), () => ({ op: "delete" })));
  }
  await Promise.all(writes);
}

/** Starts keeping them; resolves once those of the built-in groups are there. The function it gives stops it. */
export async function keepApiServices(core: ServerCore): Promise<() => void> {
  await reconcile(core);
  let cancel: (() => void) | undefined;
  const stopListening = core.registry.onChange(() => {
    cancel ??= core.clock.setTimeout(() => {
      cancel = undefined;
      reconcile(core).catch((error: unknown) => {
        if (!core.closing.aborted)
          core.log.error("the APIService objects could not be brought up to date", { err: error });
      });
    }, SETTLE_MS);
  });
  return () => {
    stopListening();
    cancel?.();
  };
}
