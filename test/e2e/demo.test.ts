/** The travel demo as its visitors see it: travel-control through its Route. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ask } from "./http.ts";
import { patternIn } from "./pattern-under-test.ts";
import { portals, putSettings, type Settings } from "./travel-control.ts";
import { until } from "./until.ts";

const NAMES = ["travels.uk", "viaggi.it", "voyages.fr"];
const BUSY: Settings = {
  request_ratio: 100,
  devices: { web: 20, mobile: 80 },
  users: { registered: 30, new: 70 },
  travel_type: { t1: 50, t2: 25, t3: 25 },
};

const { dataDir } = inject("travelops");
const pattern = patternIn(dataDir);
let control = "";
let local = "";

beforeAll(async () => {
  const { urls } = await pattern.settled();
  const row = urls.find((each) => each.name === "control");
  control = row?.url ?? "";
  local = row?.local ?? "";
});
afterAll(() => pattern.close());

describe("the dashboard's API", () => {
  test("status tells every portal, connected", async () => {
    const seen = await until("every portal is connected", async () => {
      const all = await portals(control);
      return all.every((each) => !each.status.error) && all;
    });
    expect(seen.map((each) => [each.name, each.country])).toEqual([
      ["travels.uk", "United Kingdom"],
      ["viaggi.it", "Italy"],
      ["voyages.fr", "France"],
    ]);
  });

  test("the local port answers the same, and an unknown host is refused", async () => {
    expect((await portals(local)).map((each) => each.name)).toEqual(NAMES);
    const unknown = await ask(control, { headers: { host: "nobody.apps.hub.travelops.localhost" } });
    expect(unknown.status).toBeGreaterThanOrEqual(400);
  });

  test("settings reach the portals, and their totals grow", async () => {
    for (const name of NAMES) {
      const answer = await putSettings(control, name, BUSY);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual(BUSY);
    }
    const before = new Map((await portals(control)).map((each) => [each.name, each]));
    for (const each of before.values()) expect(each.settings).toEqual(BUSY);
    const after = await until("every portal has asked twice more, and for cities that answered", async () => {
      const all = await portals(control);
      return (
        all.every((each) => each.status.requests.total >= (before.get(each.name)?.status.requests.total ?? 0) + 2) &&
        all.every((each) => (each.status.cities ?? []).length > 0) &&
        all
      );
    });
    expect(after.every((each) => !each.status.error)).toBe(true);
  });

  test("a quote has what the travel type sells, through Services of the cluster", async () => {
    const text = await pattern.kubectl(
      "-n=travel-portal",
      "exec",
      "deploy/voyages-v1",
      "--",
      "node",
      "-e",
      `fetch("http://travels.travel-agency:8000/travels/London", { headers: { user: "registered", travel: "t1", device: "web", portal: "voyages.fr" } }).then(r => r.text()).then(t => console.log(t))`,
    );
    const quote = JSON.parse(text) as Record<string, unknown[]>;
    expect(quote).toMatchObject({ city: "London", status: "Valid" });
    for (const part of ["flights", "hotels", "cars", "insurances"])
      expect(quote[part]?.length, part).toBeGreaterThan(0);
  });
});
