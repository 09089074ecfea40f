/** What a user sees: `up` until the travel demo serves, a push until it is live, a drift until it is healed. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { KubeClient, KubeObject } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import type { Resource } from "@travelops/kube/client/client";
import type { BenchContext, Measured, OwnFigure } from "../figure.ts";
import { percentile, spread } from "../statistics.ts";
import { clonePattern, down, kubectl, setUp, up, type UpResult } from "../travelops-command.ts";

interface Deployment extends KubeObject {
  spec?: { replicas?: number };
}
const DEPLOYMENTS: Resource<Deployment> = {
  group: "apps",
  version: "v1",
  resource: "deployments",
  kind: "Deployment",
  namespaced: true,
};
const NAMESPACE = "travel-control";
const NAME = "control-v1";
const VALUES = path.join("charts", "all", "travel-control", "values.yaml");
const LONGEST_MS = 60_000;

export const travelDemo: OwnFigure = {
  kind: "own",
  id: "demo",
  async measure(context) {
    await setUp();
    const { directory, quick, say } = context;
    const times: number[] = [];
    const dataDirs: string[] = [];
    try {
      let last: UpResult | undefined;
      for (let run = 0; run < (quick ? 1 : 4); run++) {
        const dataDir = path.join(directory, `up-${run}`);
        for (const before of dataDirs.splice(0)) await down(before);
        dataDirs.push(dataDir);
        last = await up(dataDir);
        say(
          `up: ${Object.entries(last.steps)
            .map(([step, ms]) => `${step} ${ms} ms`)
            .join(", ")}`,
        );
        // The first run warms the caches that the first `npm start` after the set-up fills.
        if (quick || run > 0) times.push(last.servingMs / 1000);
      }
      const [dataDir = ""] = dataDirs;
      const live = last === undefined ? [] : await measureLive(last, dataDir, context);
      return [
        {
          id: "up",
          what: "`npm start`, set-up done → travel demo synced, healthy, serving",
          unit: "s",
          budget: { limit: 8, better: "lower" },
          value: spread(times),
        },
        ...live,
      ];
    } finally {
      for (const dataDir of dataDirs) await down(dataDir);
    }
  },
};

async function measureLive(
  started: UpResult,
  dataDir: string,
  { quick, directory }: BenchContext,
): Promise<Measured[]> {
  const transport = httpsTransport(loadKubeconfig(started.kubeconfig));
  const stop = new AbortController();
  const seen = new ReplicaTimes();
  const following = seen.follow(createKubeClient(transport), stop.signal);
  try {
    const pushes = await timePushes(started, dataDir, path.join(directory, "checkout"), seen, quick ? 5 : 25);
    const drifts = await timeDrifts(started.kubeconfig, seen, quick ? 5 : 25);
    const p95 = (id: string, what: string, limit: number, values: readonly number[]): Measured[] => [
      {
        id: `${id}-p95`,
        what: `${what}, p95`,
        unit: "ms",
        budget: { limit, better: "lower" },
        value: { ...spread(values), median: percentile(values, 0.95) },
      },
      { id: `${id}-p50`, what: `${what}, p50`, unit: "ms", value: spread(values) },
    ];
    return [
      ...p95("push", "`git push` → live in the cluster", 1000, pushes),
      ...p95("drift", "drift → healed", 300, drifts),
    ];
  } finally {
    stop.abort();
    await following.catch(() => undefined);
    transport.close();
  }
}

/** When the Deployment was seen to want how many replicas. */
class ReplicaTimes {
  #waiting: { replicas: number; resolve: (at: number) => void } | undefined;
  #now = Number.NaN;

  async follow(client: KubeClient, signal: AbortSignal): Promise<void> {
    const options = { namespace: NAMESPACE, fieldSelector: `metadata.name=${NAME}`, signal };
    for await (const { object } of client.watch(DEPLOYMENTS, options)) {
      const replicas = (object as Deployment).spec?.replicas;
      if (replicas === undefined) continue;
      this.#now = replicas;
      if (this.#waiting?.replicas !== replicas) continue;
      this.#waiting.resolve(performance.now());
      this.#waiting = undefined;
    }
  }

  /** The time at which the next event with that many came. */
  next(replicas: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () =>
          reject(
            new Error(`${NAMESPACE}/${NAME} has ${this.#now} replicas after ${LONGEST_MS / 1000} s, not ${replicas}`),
          ),
        LONGEST_MS,
      );
      this.#waiting = {
        replicas,
        resolve: (at) => {
          clearTimeout(late);
          resolve(at);
        },
      };
    });
  }
}

/** From starting `git push` (a commit that changes one value) to the changed Deployment. */
async function timePushes(
  started: UpResult,
  dataDir: string,
  directory: string,
  seen: ReplicaTimes,
  pushes: number,
): Promise<number[]> {
  const checkout = await clonePattern(dataDir, started.gitServer, directory);
  const file = path.join(directory, VALUES);
  const original = await readFile(file, "utf8");
  const times: number[] = [];
  // An even number of pushes, the last of which restores what was there.
  for (let n = 0; n < pushes + (pushes % 2); n++) {
    const replicas = n % 2 === 0 ? 2 : 1;
    await writeFile(file, original.replace(/^replicaCount: \d+$/m, `replicaCount: ${replicas}`));
    await checkout.git("commit", "--quiet", "--all", "--message", `replicas ${replicas}`);
    const live = seen.next(replicas);
    const begin = performance.now();
    await checkout.git("push", "--quiet");
    times.push((await live) - begin);
    await settle();
  }
  return times;
}

/** From the drift's own event to the event that takes it back. */
async function timeDrifts(kubeconfig: string, seen: ReplicaTimes, drifts: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < drifts; n++) {
    const drifted = seen.next(3);
    const healed = drifted.then(async (at) => (await seen.next(1)) - at);
    await kubectl(kubeconfig, "--namespace", NAMESPACE, "scale", `deployment/${NAME}`, "--replicas=3");
    times.push(await healed);
    await settle();
  }
  return times;
}

/** Lets the pods of the last change come and go, so that each change is measured alone. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_000));
