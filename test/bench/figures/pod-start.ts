/** A pod of a catalogue image, from its creation to its status saying Running; one after the other, and 50 at once. */
import path from "node:path";
import type { KubeClient, KubeObject } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { startClusterProcess } from "../../cluster-under-test.ts";
import type { OwnFigure } from "../figure.ts";
import { percentile, spread } from "../statistics.ts";

interface Pod extends KubeObject {
  status?: { phase?: string };
}
export const PODS: Resource<Pod> = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };
const NAMESPACE = "default";
const AT_ONCE = 50;

/** A pod of a catalogue image that does nothing. */
export const sleepingPod = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: NAMESPACE, name, labels: { bench: "pods" } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image: "busybox", command: ["sleep", "3600"] }],
  },
});

/** Tells when each pod was first seen Running, by watch, as a user's `kubectl wait` would. */
class RunningTimes {
  readonly #seen = new Map<string, number>();
  readonly #waiting = new Map<string, (at: number) => void>();

  async follow(client: KubeClient, signal: AbortSignal): Promise<void> {
    for await (const { object } of client.watch(PODS, { namespace: NAMESPACE, labelSelector: "bench=pods", signal })) {
      const { metadata, status } = object as Pod;
      const name = metadata.name ?? "";
      if (status?.phase !== "Running" || this.#seen.has(name)) continue;
      const now = performance.now();
      this.#seen.set(name, now);
      this.#waiting.get(name)?.(now);
    }
  }

  of(name: string): Promise<number> {
    const seen = this.#seen.get(name);
    return seen === undefined ? new Promise((resolve) => this.#waiting.set(name, resolve)) : Promise.resolve(seen);
  }
}

export const podStart: OwnFigure = {
  kind: "own",
  id: "pods",
  async measure({ quick, directory, say }) {
    const cluster = await startClusterProcess({ dataDir: path.join(directory, "pods"), nodes: 2 });
    const stop = new AbortController();
    try {
      const { client } = cluster;
      say(`pods run in the ${cluster.ready.sandbox} sandbox`);
      const running = new RunningTimes();
      const following = running.follow(client, stop.signal);
      await serviceAccount(client);
      const one = async (name: string): Promise<number> => {
        const begin = performance.now();
        await client.create(PODS, sleepingPod(name));
        return (await running.of(name)) - begin;
      };
      const single: number[] = [];
      for (let n = 0; n < (quick ? 6 : 21); n++) {
        const took = await one(`single-${n}`);
        if (n > 0) single.push(took);
        await client.delete(PODS, NAMESPACE, `single-${n}`, { gracePeriodSeconds: 0 });
      }
      const last: number[] = [];
      const middle: number[] = [];
      for (let round = 0; round < (quick ? 1 : 3); round++) {
        const names = Array.from({ length: AT_ONCE }, (_, n) => `burst-${round}-${n}`);
        const times = await Promise.all(names.map(one));
        last.push(Math.max(...times));
        middle.push(percentile(times, 0.5));
        await Promise.all(names.map((name) => client.delete(PODS, NAMESPACE, name, { gracePeriodSeconds: 0 })));
        await gone(client);
      }
      stop.abort();
      await following;
      return [
        {
          id: "pod",
          what: "a pod, from created to running (catalogue image)",
          unit: "ms",
          budget: { limit: 200, better: "lower" },
          value: spread(single),
        },
        { id: "pods-50-p50", what: `${AT_ONCE} pods at once: half of them running`, unit: "ms", value: spread(middle) },
        {
          id: "pods-50",
          what: `${AT_ONCE} pods at once: all of them running`,
          unit: "ms",
          budget: { limit: 5_000, better: "lower" },
          value: spread(last),
        },
      ];
    } finally {
      stop.abort();
      await cluster.stop();
    }
  },
};

const ACCOUNTS: Resource = {
  group: "",
  version: "v1",
  resource: "serviceaccounts",
  kind: "ServiceAccount",
  namespaced: true,
};

/** A new cluster needs a moment to make it; that is not the pod's time. */
export async function serviceAccount(client: KubeClient): Promise<void> {
  await until(async () =>
    (await client.list(ACCOUNTS, { namespace: NAMESPACE })).items.some(({ metadata }) => metadata.name === "default"),
  );
}

export const allRunning = (client: KubeClient, count: number): Promise<void> =>
  until(
    async () =>
      (await client.list(PODS, { namespace: NAMESPACE, labelSelector: "bench=pods" })).items.filter(
        ({ status }) => status?.phase === "Running",
      ).length === count,
  );

const gone = (client: KubeClient): Promise<void> =>
  until(
    async () => (await client.list(PODS, { namespace: NAMESPACE, labelSelector: "bench=pods" })).items.length === 0,
  );

async function until(true_: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await true_())) {
    if (performance.now() > deadline) throw new Error("the cluster did not get there within a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
