/** The travel demo's own manifests on a cluster that Git leaves to us (`--pattern DIR`), applied as they are. */
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEPLOYMENTS, PODS } from "@travelops/kube/client/resources";
import { ROOT } from "./command.ts";
import { SMALL_PATTERN, writeFiles } from "./fixtures.ts";
import { bringUp, patternIn, type PatternUnderTest, removeAll, scratchDirectory } from "./pattern-under-test.ts";
import { until } from "./until.ts";

const FIXTURES = path.join(ROOT, "test", "fixtures", "travels");
const NAMESPACES = ["travel-agency", "travel-portal", "travel-control"];

let dataDir = "";
let directory = "";
let pattern: PatternUnderTest;

beforeAll(async () => {
  [dataDir, directory] = await Promise.all([scratchDirectory(), scratchDirectory()]);
  await writeFiles(directory, SMALL_PATTERN);
  await bringUp(["--pattern", directory], { dataDir });
  pattern = patternIn(dataDir);
});
afterAll(async () => {
  pattern?.close();
  await removeAll(dataDir);
  await rm(directory, { recursive: true, force: true });
});

const apply = (namespace: string, file: string): Promise<string> =>
  pattern.kubectl("-n", namespace, "apply", "-f", path.join(FIXTURES, file));

async function everyPodReady(count: number): Promise<void> {
  await until(
    `${count} pods are ready`,
    async () => {
      const all = (await Promise.all(NAMESPACES.map((namespace) => pattern.client.list(PODS, { namespace })))).flatMap(
        (list) => list.items,
      );
      const open = all.filter((pod) => pod.status?.containerStatuses?.some((each) => each.ready) !== true);
      if (open.length > 0) throw new Error(JSON.stringify(open.map((pod) => [pod.metadata.name, pod.status])));
      return all.length === count;
    },
    40_000,
  );
}

/** From inside the cluster: the answer, and how long it took. */
async function get(url: string): Promise<{ ms: number; status: number; body: string }> {
  const script = `const t = performance.now(); fetch(${JSON.stringify(url)}).then(async (r) => console.log(JSON.stringify({ status: r.status, body: await r.text(), ms: performance.now() - t })))`;
  const text = await pattern.kubectl("-n=travel-control", "exec", "deploy/control", "--", "node", "-e", script);
  return JSON.parse(text) as { ms: number; status: number; body: string };
}

test("v1: every pod is ready", async () => {
  for (const namespace of NAMESPACES) await pattern.kubectl("create", "namespace", namespace);
  await apply("travel-agency", "travel_agency.yaml");
  await apply("travel-portal", "travel_portal.yaml");
  await apply("travel-control", "travel_control.yaml");
  await everyPodReady(11);
});

test("v2 and v3 join their Services", async () => {
  for (const file of ["travels-v2.yaml", "travels-v3.yaml", "mysql-v2.yaml", "mysql-v3.yaml"])
    await apply("travel-agency", file);
  await everyPodReady(15);
  const endpoints = await pattern.kubectl(
    "-n=travel-agency",
    "get",
    "endpointslices",
    "-l=kubernetes.io/service-name=travels",
    "-o=jsonpath={.items[*].endpoints[*].targetRef.name}",
  );
  const names = endpoints.trim().split(/\s+/);
  for (const version of ["v1", "v2", "v3"])
    expect(names.some((name) => name.startsWith(`travels-${version}-`))).toBe(true);
});

test("applying again changes nothing", async () => {
  const generations = async (): Promise<unknown[]> =>
    (await pattern.client.list(DEPLOYMENTS, { namespace: "travel-agency" })).items.map(({ metadata }) => [
      metadata.uid,
      metadata.generation,
    ]);
  const before = await generations();
  // "configured" is kubectl's word for mysqldb, whose `emptyDir:` without a value is a patch, though of nothing.
  const said = await apply("travel-agency", "travel_agency.yaml");
  expect(said.match(/ unchanged$/gm)).toHaveLength(14);
  expect(await generations()).toEqual(before);
});

test("the portals are served: a quote from each travel agency's service", async () => {
  const answer = await until("a quote", async () => {
    const seen = await get("http://travels.travel-agency:8000/travels/Paris");
    return seen.status === 200 && seen;
  });
  expect(JSON.parse(answer.body)).toMatchObject({ city: "Paris", status: "Valid" });
});

test("chaos is felt, and ends", async () => {
  const agency = "-n=travel-agency";
  await pattern.kubectl(agency, "set", "env", "deployment/flights-v1", "CHAOS_MONKEY=true", "CHAOS_MONKEY_SLEEP=1500");
  await pattern.kubectl(agency, "rollout", "status", "deployment/flights-v1", "--timeout=30s");
  // The demo's pods have no readiness probe: they are ready before they listen.
  const flights = () => until("flights listens", () => get("http://flights.travel-agency:8000/flights/Paris"));
  const slow = await flights();
  expect(slow.status).toBe(200);
  expect(slow.ms).toBeGreaterThan(1500);
  await pattern.kubectl(agency, "set", "env", "deployment/flights-v1", "CHAOS_MONKEY-", "CHAOS_MONKEY_SLEEP-");
  await pattern.kubectl(agency, "rollout", "status", "deployment/flights-v1", "--timeout=30s");
  const quick = await flights();
  expect(quick.status).toBe(200);
  expect(quick.ms).toBeLessThan(1500);
});

test("the load tester runs", async () => {
  await apply("travel-agency", "travel_loadtester.yaml");
  await until("it is ready", async () => {
    const { status } = await pattern.client.get(DEPLOYMENTS, "travel-agency", "loadtester");
    return status?.readyReplicas === 1;
  });
  await pattern.kubectl("-n=travel-agency", "delete", "deployment/loadtester");
});
