/** Lists of a large cluster: everything, a namespace, a selector, in pages, compressed. To the last byte, not parsed. */
import type { Measured } from "../figure.ts";
import type { H2Client } from "../h2-client.ts";
import { spread } from "../statistics.ts";
import { namespaceName, podsIn, type Size } from "./contents.ts";

const ALL = "/api/v1/pods";
const PAGE = 500;

/** The first run of each warms up and is not counted. */
async function timed(runs: number, work: (run: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const begin = performance.now();
    await work(run);
    if (run > 0) times.push(performance.now() - begin);
  }
  return times;
}

/** The token of the next page stands in the list's metadata, before its items or after them. */
function continueOf(body: Buffer): string | undefined {
  const edges = `${body.subarray(0, 2_000).toString("latin1")}${body.subarray(-2_000).toString("latin1")}`;
  return /"continue":"([^"]+)"/.exec(edges)?.[1];
}

async function allPages(client: H2Client): Promise<number> {
  let pages = 0;
  let token: string | undefined;
  do {
    const query: string = token === undefined ? "" : `&continue=${encodeURIComponent(token)}`;
    const { body } = await client.request("GET", `${ALL}?limit=${PAGE}${query}`);
    token = continueOf(body);
    pages++;
  } while (token !== undefined);
  return pages;
}

export async function measureReads(client: H2Client, size: Size, quick: boolean): Promise<Measured[]> {
  const pods = podsIn(size).toLocaleString("en-US");
  const get = (path: string, headers?: Record<string, string>) => () => client.request("GET", path, undefined, headers);
  const runs = quick ? 3 : 7;
  const row = (id: string, what: string, times: readonly number[], limit: number): Measured => ({
    id: `size-list-${id}`,
    what: `at size: ${what}`,
    unit: "ms",
    budget: { limit, better: "lower" },
    value: spread(times),
  });
  return [
    row("all", `LIST of all ${pods} pods`, await timed(runs, get(ALL)), 500),
    row(
      "gzip",
      `LIST of all ${pods} pods, compressed`,
      await timed(quick ? 2 : 3, get(ALL, { "accept-encoding": "gzip" })),
      1_000,
    ),
    row(
      "namespace",
      "LIST of the pods of one namespace",
      await timed(runs * 3, (run) =>
        client.request("GET", `/api/v1/namespaces/${namespaceName(run % size.namespaces)}/pods`),
      ),
      10,
    ),
    row(
      "selector",
      "LIST of all pods by a label that 1 in 100 has",
      await timed(runs, get(`${ALL}?labelSelector=tier%3Drare`)),
      100,
    ),
    row(
      "pages",
      `LIST of all ${pods} pods in pages of ${PAGE}, all pages`,
      await timed(quick ? 2 : 3, () => allPages(client)),
      1_500,
    ),
  ];
}
