/** A thousand watchers, each on a connection of its own: how they start, what an event costs, what they weigh. */
import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import type { BenchContext, Measured, Unit } from "../figure.ts";
import { connectH2, type H2Client, keepInFlight } from "../h2-client.ts";
import { cpuSeconds, residentMb } from "../process-usage.ts";
import { percentile, spread } from "../statistics.ts";
import type { RunningSubject } from "../subject.ts";
import type { ReportOrder, WatcherReport, WatchersReady, WatchOrder } from "../figures/watchers.ts";
import { namespaceName, podsIn, type Size } from "./contents.ts";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

interface Watching {
  readonly syncMs: number;
  /** Latencies of the events since the last report, once so many have come. */
  report(events: number): Promise<Float64Array>;
  close(): Promise<void>;
}

async function startWatching(order: WatchOrder): Promise<Watching> {
  const child: ChildProcess = fork(path.join(import.meta.dirname, "../figures/watchers.ts"), [], {
    serialization: "advanced",
  });
  const exited = new Promise<never>((_, reject) =>
    child.once("exit", (code) => reject(new Error(`the watchers ended with ${code}`))),
  );
  exited.catch(() => undefined);
  const ask = <T>(message: WatchOrder | ReportOrder): Promise<T> => {
    const answer = new Promise<T>((resolve) => child.once("message", (reply) => resolve(reply as T)));
    child.send(message);
    return Promise.race([answer, exited]);
  };
  const { syncMs } = await ask<WatchersReady>(order);
  return {
    syncMs,
    report: async (reportAfter) => (await ask<WatcherReport>({ reportAfter })).latencies,
    async close() {
      child.kill("SIGKILL");
      await exited.catch(() => undefined);
    },
  };
}

const stamped = (name: string): string =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{"sent":"@${process.hrtime.bigint()}@","rest":"${"x".repeat(900)}"}}`;

interface Load {
  readonly id: string;
  readonly what: string;
  readonly writesASecond: number;
  readonly eventsAWrite: number;
  /** Budget of the 99th percentile. */
  readonly p99Ms: number;
  namespaceOf(n: number): string;
}

interface Seen {
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

let round = 0;

async function writeAndSee(
  client: H2Client,
  running: RunningSubject,
  watching: Watching,
  load: Load,
  seconds: number,
): Promise<Seen> {
  const id = `w${++round}`;
  const writes: Promise<unknown>[] = [];
  const cpu = sum(running.pids.map(cpuSeconds));
  const begin = performance.now();
  for (let n = 0; n < seconds * load.writesASecond; n++) {
    const early = begin + (n * 1000) / load.writesASecond - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    writes.push(client.request("POST", configMaps(load.namespaceOf(n)), stamped(`${id}-${n}`)));
  }
  await Promise.all(writes);
  const wanted = Math.round(writes.length * load.eventsAWrite);
  const latencies = [...(await watching.report(wanted))];
  const spent = sum(running.pids.map(cpuSeconds)) - cpu;
  if (latencies.length === 0) throw new Error("the watchers saw nothing");
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuMicros: (spent * 1e6) / latencies.length,
  };
}

async function underLoad(
  client: H2Client,
  running: RunningSubject,
  watching: Watching,
  load: Load,
  quick: boolean,
): Promise<Measured[]> {
  const seen: Seen[] = [];
  await writeAndSee(client, running, watching, load, 2);
  for (let run = 0; run < 3; run++) seen.push(await writeAndSee(client, running, watching, load, quick ? 3 : 6));
  const row = (id: string, what: string, unit: Unit, values: readonly number[], limit?: number): Measured => ({
    id: `size-${load.id}-${id}`,
    what: `at size: ${load.what}, ${load.writesASecond} writes a second: ${what}`,
    unit,
    ...(limit === undefined ? {} : { budget: { limit, better: "lower" } }),
    value: spread(values),
  });
  return [
    row(
      "p50",
      "write → event, p50",
      "ms",
      seen.map(({ p50 }) => p50),
    ),
    row(
      "p99",
      "write → event, p99",
      "ms",
      seen.map(({ p99 }) => p99),
      load.p99Ms,
    ),
    row(
      "cpu",
      "server CPU an event delivered",
      "µs",
      seen.map(({ cpuMicros }) => cpuMicros),
    ),
  ];
}

async function createRate(client: H2Client, total: number, namespaceOf: (n: number) => string): Promise<number> {
  const id = `c${++round}`;
  const begin = performance.now();
  await keepInFlight(total, 32, (n) => client.request("POST", configMaps(namespaceOf(n)), stamped(`${id}-${n}`)));
  return total / ((performance.now() - begin) / 1000);
}

export async function measureWatching(
  running: RunningSubject,
  size: Size,
  { quick, say }: Pick<BenchContext, "quick" | "say">,
): Promise<Measured[]> {
  const { address } = running;
  const client = await connectH2(address);
  const count = size.watchers.toLocaleString("en-US");
  const spreadOver = (n: number): string => namespaceName(n % size.namespaces);
  const rows: Measured[] = [];
  try {
    const starts: number[] = [];
    for (let run = 0; run < 4; run++) {
      const one = await startWatching({ address, paths: ["/api/v1/pods?watch=true"], initialEvents: podsIn(size) });
      if (run > 0) starts.push(one.syncMs);
      await one.close();
    }
    rows.push({
      id: "size-watch-start",
      what: `at size: watch of all ${podsIn(size).toLocaleString("en-US")} pods, to the last initial event`,
      unit: "ms",
      budget: { limit: 1_000, better: "lower" },
      value: spread(starts),
    });

    const quiet = Array<string>(size.watchers).fill(
      `${configMaps("default")}?watch=true&resourceVersion=${await revision(client)}`,
    );
    const same = await startWatching({ address, paths: quiet });
    say(`${count} watchers stand`);
    // The second thousand: what the heap had spare went to the first.
    const before = sum(running.pids.map(residentMb));
    const more = await startWatching({ address, paths: quiet });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    rows.push({
      id: "size-watcher-memory",
      what: `at size: memory a watcher (a TLS connection each), of ${count} more`,
      unit: "KB",
      budget: { limit: 100, better: "lower" },
      value: spread([((sum(running.pids.map(residentMb)) - before) * 1024) / size.watchers]),
    });
    await more.close();
    rows.push(
      ...(await underLoad(
        client,
        running,
        same,
        {
          id: "same",
          what: `${count} watchers of one collection`,
          writesASecond: 10,
          eventsAWrite: size.watchers,
          p99Ms: 100,
          namespaceOf: () => "default",
        },
        quick,
      )),
    );
    await same.close();

    const paths = Array.from({ length: size.watchers }, (_, n) => `${configMaps(spreadOver(n))}?watch=true`);
    const each = await countPerNamespace(client, size);
    const apart = await startWatching({
      address,
      paths,
      initialEvents: sum(paths.map((_, n) => each[n % size.namespaces] ?? 0)),
    });
    rows.push({
      id: "size-watchers-start",
      what: `at size: ${count} watchers of ConfigMaps, each of a namespace, all at once, to the last initial event`,
      unit: "ms",
      budget: { limit: 5_000, better: "lower" },
      value: spread([apart.syncMs]),
    });
    rows.push(
      ...(await underLoad(
        client,
        running,
        apart,
        {
          id: "apart",
          what: `${count} watchers over ${size.namespaces} namespaces`,
          writesASecond: 100,
          eventsAWrite: size.watchers / size.namespaces,
          p99Ms: 20,
          namespaceOf: spreadOver,
        },
        quick,
      )),
    );
    const rates: number[] = [];
    for (let run = 0; run < 4; run++) {
      const rate = await createRate(client, quick ? 1_500 : 4_000, spreadOver);
      if (run > 0) rates.push(rate);
    }
    rows.push({
      id: "size-creates",
      what: `at size: durable creates of 1 KB objects, 32 in flight, ${count} watchers over ${size.namespaces} namespaces`,
      unit: "a second",
      budget: { limit: 2_000, better: "higher" },
      value: spread(rates),
    });
    await apart.close();
    return rows;
  } finally {
    client.close();
  }
}

async function revision(client: H2Client): Promise<string> {
  const { body } = await client.request("GET", `${configMaps("default")}?limit=1`);
  return (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

async function countPerNamespace(client: H2Client, size: Size): Promise<number[]> {
  const counts: number[] = [];
  await keepInFlight(size.namespaces, 8, async (n) => {
    const { body } = await client.request("GET", configMaps(namespaceName(n)), undefined, {
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    });
    counts[n] = (JSON.parse(body.toString()) as { items: unknown[] }).items.length;
  });
  return counts;
}
