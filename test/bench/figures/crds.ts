/** A CustomResourceDefinition beside 200 others: from sending it until clients find its kind; then OpenAPI v2. */
import type { ApiFigure, Measured } from "../figure.ts";
import { connectH2, keepInFlight, type H2Client } from "../h2-client.ts";
import { percentile, spread } from "../statistics.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const AGGREGATED = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };
const PATIENCE_MS = 30_000;

const text = { type: "string", description: "A text that says something about the field, as operators write it down." };
const entry = { type: "array", items: { type: "object", properties: { name: text, value: text } } };

/** Some 15 KB, as those of operators are. */
const properties = (depth: number): object =>
  depth === 0
    ? text
    : {
        type: "object",
        required: ["field0"],
        properties: Object.fromEntries(
          Array.from({ length: 8 }, (_, i) => [`field${i}`, i < 3 ? properties(depth - 1) : i === 3 ? entry : text]),
        ),
      };

function definition(group: string, kind: string): string {
  const plural = `${kind.toLowerCase()}s`;
  const openAPIV3Schema = { type: "object", properties: { spec: properties(3), status: properties(1) } };
  return JSON.stringify({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural, kind },
      versions: [
        { name: "v1", served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema } },
      ],
    },
  });
}

/** Asks again and again, as clients do, until the answer says it. */
async function until(client: H2Client, path: string, word: string, headers?: Record<string, string>): Promise<Buffer> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    // What is not there yet may be a 404.
    const answer = await client.request("GET", path, undefined, headers).catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && answer.body.includes(word)) return answer.body;
    if (performance.now() > deadline)
      throw new Error(`${path} does not say ${word}`, answer instanceof Error ? { cause: answer } : undefined);
  }
}

async function published(client: H2Client, n: number): Promise<number> {
  const group = `new${n}.example.com`;
  const begin = performance.now();
  await client.request("POST", CRDS, definition(group, `New${n}`));
  await until(client, "/apis", group, AGGREGATED);
  const index = (await until(client, "/openapi/v3", `apis/${group}/v1`)).toString("utf8");
  const { paths } = JSON.parse(index) as { paths: Record<string, { serverRelativeURL: string }> };
  await until(client, paths[`apis/${group}/v1`]?.serverRelativeURL ?? "", `New${n}`);
  return performance.now() - begin;
}

/** OpenAPI v2 after one more CRD, while all others are as they were. */
async function documented(client: H2Client, n: number): Promise<number> {
  await client.request("POST", CRDS, definition("more.example.com", `More${n}`));
  await until(client, "/apis/more.example.com/v1", `More${n}`);
  const begin = performance.now();
  await until(client, "/openapi/v2", `More${n}`);
  return performance.now() - begin;
}

export const crds: ApiFigure = {
  kind: "api",
  id: "crds",
  async measure(subject, { quick, directory }) {
    const { address, close } = await subject.start(directory);
    const client = await connectH2(address);
    const others = quick ? 50 : 200;
    const runs = quick ? 10 : 40;
    try {
      await keepInFlight(others, 8, (n) =>
        client.request("POST", CRDS, definition(`group${n % 40}.example.com`, `Kind${n}`)),
      );
      await published(client, runs);
      const times: number[] = [];
      for (let run = 0; run < runs; run++) times.push(await published(client, run));
      await documented(client, runs);
      const documents: number[] = [];
      for (let run = 0; run < runs / 5; run++) documents.push(await documented(client, run));
      const what = `a CRD beside ${others}: sent → in discovery and OpenAPI v3`;
      const budget = { limit: 100, better: "lower" } as const;
      const rows: Measured[] = [
        { id: "crd-published", what, unit: "ms", budget, value: spread(times) },
        { id: "crd-published-p95", what: `${what}, p95`, unit: "ms", budget, value: spread([percentile(times, 0.95)]) },
        { id: "openapi-v2", what: "OpenAPI v2 after one more CRD", unit: "ms", value: spread(documents) },
      ];
      return rows;
    } finally {
      client.close();
      await close();
    }
  },
};
