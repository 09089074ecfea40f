/** What a Service costs against a direct connection, on kept connections: `node bench-service.ts [--json]`. */
import path from "node:path";
import { endpoint, pod, service } from "./fixtures.ts";
import { startActor, startLab, type Lab } from "./network-lab.ts";

const POD = "10.128.0.5";
const lab = await startLab({
  sandbox: "namespaces",
  pods: [POD],
  snapshot: {
    pods: { [POD]: pod(POD, "a/a") },
    services: { "a/a": service("a/a", "10.64.0.9", 80, [endpoint(POD, 8000)]) },
  },
});
await lab.act({ do: "http", ip: POD, port: 8000, name: "a" });
const client: Lab["act"] = await startActor(lab.host, path.join(import.meta.dirname, "bench-client.ts"));
const rate = (host: string, port: number, connections: number): Promise<number> =>
  client<number>({ host, port, connections, ms: 800 });
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const rows = [];
for (const connections of [1, 16]) {
  const [direct, viaService]: [number[], number[]] = [[], []];
  await rate(POD, 8000, connections);
  await rate("10.64.0.9", 80, connections);
  for (let round = 0; round < 5; round++) {
    direct.push(await rate(POD, 8000, connections));
    viaService.push(await rate("10.64.0.9", 80, connections));
  }
  rows.push({
    connections,
    direct: Math.round(median(direct)),
    service: Math.round(median(viaService)),
    ratio: Number((median(viaService) / median(direct)).toFixed(2)),
  });
}
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows)}\n`);
else console.table(rows);
lab.close();
process.exit(0);
