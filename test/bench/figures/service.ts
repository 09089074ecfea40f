/** What a Service costs against a direct connection to its pod, in the pods' network of the namespaces sandbox. */
import path from "node:path";
import { endpoint, pod, service } from "../../../cluster/network/testing/fixtures.ts";
import { startLab, type Lab } from "../../../cluster/network/testing/network-lab.ts";
import type { BenchTask } from "../../../cluster/network/testing/bench-client.ts";
import { descendantsOf } from "../../crash/process-tree.ts";
import type { BenchContext, Measured, OwnFigure } from "../figure.ts";
import { cpuSeconds, residentMb } from "../process-usage.ts";
import { median, spread } from "../statistics.ts";

const POD = { host: "10.128.0.5", http: 8000, echo: 8001 };
const CLIENT_POD = "10.128.0.6";
const SERVICE = { host: "10.64.0.9", http: 80, echo: 81 };
/** One with session affinity on the client's node, which the kernel does not serve by itself. */
const NEAR = { host: "10.64.0.11", http: 80 };
const IDLE_CONNECTIONS = 1_000;
const CLIENT = path.join(import.meta.dirname, "../../../cluster/network/testing/bench-client.ts");

type Client = <T>(task: BenchTask) => Promise<T>;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const serviceCost: OwnFigure = {
  kind: "own",
  id: "service",
  async measure(context) {
    const ports = [
      { name: "http", port: SERVICE.http, protocol: "TCP", endpoints: [endpoint(POD.host, POD.http)] },
      { name: "echo", port: SERVICE.echo, protocol: "TCP", endpoints: [endpoint(POD.host, POD.echo)] },
    ] as const;
    const lab = await startLab({
      sandbox: "namespaces",
      namespaces: [POD.host, CLIENT_POD],
      snapshot: {
        pods: { [POD.host]: pod(POD.host, "a/a"), [CLIENT_POD]: pod(CLIENT_POD, "a/client") },
        services: {
          "a/a": service("a/a", SERVICE.host, SERVICE.http, [], { ports }),
          "a/near": service("a/near", NEAR.host, NEAR.http, [endpoint(POD.host, POD.http, { node: "node-1" })], {
            local: true,
            affinitySeconds: 60,
          }),
        },
      },
    });
    try {
      const server = await lab.inPod(POD.host);
      await server({ do: "http", ip: POD.host, port: POD.http, name: "a" });
      await server({ do: "echo", ip: POD.host, port: POD.echo, name: "a" });
      const client: Client = await lab.inPod(CLIENT_POD, CLIENT);
      return [
        ...(await keptConnections(client, context, 1)),
        ...(await keptConnections(client, context, 16)),
        ...(await throughDataplane(client, context)),
        ...(await newConnections(client, context)),
        ...(await idleConnections(lab, client, context)),
      ];
    } finally {
      lab.close();
    }
  },
};

/** Rounds in turn, direct and through a Service, so that what else the machine does falls on both. */
async function sharesOf(
  client: Client,
  { quick, say }: BenchContext,
  connections: number,
  through: { readonly host: string; readonly http: number },
): Promise<number[]> {
  const ms = quick ? 800 : 2_000;
  const rate = (host: string, port: number): Promise<number> => client({ do: "rate", host, port, connections, ms });
  const shares: number[] = [];
  const rates: { direct: number[]; service: number[] } = { direct: [], service: [] };
  for (let round = 0; round <= (quick ? 5 : 9); round++) {
    const direct = await rate(POD.host, POD.http);
    const served = await rate(through.host, through.http);
    // The first round warms all sides up.
    if (round === 0) continue;
    rates.direct.push(direct);
    rates.service.push(served);
    shares.push((served / direct) * 100);
  }
  say(
    `${connections} kept: ${Math.round(median(rates.direct))} a second direct, ${Math.round(median(rates.service))} through the Service`,
  );
  return shares;
}

const kept = (connections: number): string =>
  connections === 1 ? "one kept connection" : `${connections} kept connections`;

async function keptConnections(client: Client, context: BenchContext, connections: number): Promise<Measured[]> {
  return [
    {
      id: `service-kept-${connections}`,
      what: `a Service's throughput on ${kept(connections)}, of the direct one`,
      unit: "%",
      budget: { limit: 70, better: "higher" },
      value: spread(await sharesOf(client, context, connections, SERVICE)),
    },
  ];
}

/** What Services cost that the kernel does not serve by itself, and all of them where it cannot. */
async function throughDataplane(client: Client, context: BenchContext): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const connections of [1, 16])
    measured.push({
      id: `service-dataplane-${connections}`,
      what: `the same where a process relays (affinity on the client's node), ${kept(connections)}`,
      unit: "%",
      value: spread(await sharesOf(client, context, connections, NEAR)),
    });
  return measured;
}

async function newConnections(client: Client, { quick }: BenchContext): Promise<Measured[]> {
  const count = quick ? 200 : 500;
  const added: number[] = [];
  for (let round = 0; round <= (quick ? 5 : 9); round++) {
    const direct = await client<number[]>({ do: "new", host: POD.host, port: POD.http, count });
    const through = await client<number[]>({ do: "new", host: SERVICE.host, port: SERVICE.http, count });
    if (round > 0) added.push(median(through) - median(direct));
  }
  return [
    {
      id: "service-new",
      what: "a request on a new connection through a Service: what it adds to the direct one, at the median",
      unit: "ms",
      budget: { limit: 0.3, better: "lower" },
      value: spread(added),
    },
  ];
}

async function idleConnections(lab: Lab, client: Client, { quick }: BenchContext): Promise<Measured[]> {
  const dataplane = descendantsOf(process.pid).find(({ command }) => command.includes("dataplane/main.ts"));
  if (dataplane === undefined) throw new Error("the dataplane's process was not found");
  const { pid } = dataplane;
  const hold = (count: number): Promise<number> =>
    client({ do: "hold", host: SERVICE.host, port: SERVICE.echo, count });
  // The first hundred take what the heap has spare.
  await hold(100);
  await wait(1_000);
  const before = residentMb(pid);
  const standing = await hold(IDLE_CONNECTIONS);
  if (standing !== IDLE_CONNECTIONS + 100) throw new Error(`only ${standing} connections stand`);
  await wait(1_000);
  const held = residentMb(pid) - before;
  const shares: number[] = [];
  const slice = quick ? 3_000 : 10_000;
  for (let run = 0; run < 3; run++) {
    const used = cpuSeconds(pid);
    await wait(slice);
    shares.push(((cpuSeconds(pid) - used) / slice) * 100_000);
  }
  return [
    {
      id: "service-idle-memory",
      what: `${IDLE_CONNECTIONS.toLocaleString("en-US")} idle connections through a Service: memory of each`,
      unit: "KB",
      value: spread([(held * 1024) / IDLE_CONNECTIONS]),
    },
    {
      id: "service-idle-cpu",
      what: `${IDLE_CONNECTIONS.toLocaleString("en-US")} idle connections through a Service: CPU`,
      unit: "% of a core",
      value: spread(shares),
    },
  ];
}
