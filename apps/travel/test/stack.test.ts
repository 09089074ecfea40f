import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess, startStack, type Stack } from "./stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  await stack.stop();
});

async function get(service: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(stack.url(service) + path, { headers });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  return { status: response.status, type, body: type.includes("json") ? (JSON.parse(text) as unknown) : text };
}

interface PortalStatus {
  name: string;
  country: string;
  coordinates: number[];
  settings: unknown;
  status: { requests: { total: number }; cities: { city: string; coordinates: number[] }[]; error: boolean };
}

async function portals(): Promise<PortalStatus[]> {
  return (await get("control", "/status")).body as PortalStatus[];
}

/** Asks until the answer is as wanted. */
async function until<Value>(ask: () => Promise<Value>, wanted: (value: Value) => boolean): Promise<Value> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const value = await ask();
    if (wanted(value)) return value;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("the item services", () => {
  test.each([
    [
      "cars",
      "/cars/Amsterdam",
      "",
      [
        { carModel: "Sports Car", price: 1005 },
        { carModel: "Economy Car", price: 302 },
      ],
    ],
    [
      "cars",
      "/cars/Amsterdam",
      "new",
      [
        { carModel: "Sports Car", price: 753.75 },
        { carModel: "Economy Car", price: 226.5 },
      ],
    ],
    [
      "insurances",
      "/insurances/Zagreb",
      "registered",
      [
        { company: "Yellow Insurances", price: 316.8 },
        { company: "Blue Insurances", price: 90.899994 },
      ],
    ],
    [
      "hotels",
      "/hotels/San%20Marino",
      "vip",
      [
        { hotel: "Grand Hotel San Marino", price: 631.75 },
        { hotel: "Little San Marino Hotel", price: 138.7 },
      ],
    ],
  ])("%s %s for user '%s'", async (service, path, user, expected) => {
    const headers: Record<string, string> = user === "" ? {} : { user };
    expect(await get(service, path, headers)).toEqual({ status: 200, type: "application/json", body: expected });
  });

  test("unknown cities, paths and methods", async () => {
    expect(await get("flights", "/flights/Atlantis")).toMatchObject({
      status: 404,
      body: { error: "City Atlantis not found" },
    });
    expect(await get("flights", "/flights/x%27%20OR%20%271%27=%271")).toMatchObject({ status: 404 });
    expect(await get("flights", "/nothing")).toMatchObject({ status: 404, body: "404 page not found\n" });
    expect((await fetch(`${stack.url("flights")}/flights/Paris`, { method: "POST" })).status).toBe(405);
    expect((await get("hotels", "/hotels")).body).toHaveLength(45);
  });

  test("discounts by kind of user", async () => {
    const discounts = await Promise.all(
      ["registered", "new", "else"].map((user) => get("discounts", `/discounts/${user}`)),
    );
    expect(discounts.map(({ body }) => body)).toEqual([
      { user: "registered", discount: 0.1 },
      { user: "new", discount: 0.25 },
      { user: "else", discount: 0.05 },
    ]);
  });
});

describe("travels", () => {
  test.each([
    ["t1", true, true],
    ["", true, true],
    ["t2", true, false],
    ["t3", false, true],
    ["t9", false, false],
  ])("a quote for travel '%s' has flights %s, cars %s", async (travel, flights, cars) => {
    const { status, body } = await get("agency", "/travels/Paris", { travel });
    const quote = body as Record<string, unknown>;
    expect(status).toBe(200);
    expect(quote).toMatchObject({ city: "Paris", coordinates: null, status: "Valid" });
    expect(quote["createdAt"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect([quote["flights"] !== null, quote["cars"] !== null]).toEqual([flights, cars]);
    expect(quote["hotels"]).toHaveLength(2);
    expect(quote["insurances"]).toHaveLength(2);
  });

  test("an unknown city has no quote", async () => {
    expect(await get("agency", "/travels/Atlantis")).toMatchObject({
      status: 404,
      body: { error: "Travel Quote for Atlantis not found" },
    });
    expect((await get("agency", "/travels")).body).toHaveLength(45);
  });
});

describe("headers", () => {
  const seen = new Map<string, IncomingHttpHeaders>();
  const recorder = createServer((request, response) => {
    seen.set(request.url ?? "", request.headers);
    response.setHeader("content-type", "application/json").end("[]");
  });
  const sent = {
    portal: "p",
    device: "web",
    user: "new",
    travel: "t1",
    b3: "a-b-1",
    "x-b3-traceid": "a",
    "x-b3-spanid": "b",
    "x-b3-sampled": "1",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "x=y",
    baggage: "k=v",
    "x-request-id": "r-1",
  };

  beforeAll(() => new Promise<void>((resolve) => recorder.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    recorder.closeAllConnections();
    recorder.close();
  });

  test("of the traveller and the trace go on to every service, those of others do not", async () => {
    const url = `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
    const bases = { CARS_SERVICE: url, HOTELS_SERVICE: url, FLIGHTS_SERVICE: url, INSURANCES_SERVICE: url };
    const agency = await startProcess("travels", bases);
    await fetch(`${agency.url}/travels/Paris`, { headers: { ...sent, authorization: "secret" } });
    for (const part of ["cars", "hotels", "flights", "insurances"]) {
      expect(seen.get(`/${part}/Paris`)).toMatchObject(sent);
      expect(seen.get(`/${part}/Paris`)).not.toHaveProperty("authorization");
    }
    const { host, port, user, password } = stack.mysql;
    const mysql = {
      MYSQL_SERVICE: `${host}:${port}`,
      MYSQL_USER: user,
      MYSQL_PASSWORD: password,
      MYSQL_DATABASE: "test",
    };
    const cars = await startProcess("cars", { ...mysql, DISCOUNTS_SERVICE: url });
    await fetch(`${cars.url}/cars/Paris`, { headers: sent });
    expect(seen.get("/discounts/new")).toMatchObject({ ...sent, discountfrom: "cars" });
    await Promise.all([agency.stop(), cars.stop()]);
  });
});

describe("chaos", () => {
  /** The order in which requests sent one after another are answered. */
  const order = async (
    ...requests: readonly [name: string, url: string, headers: Record<string, string>][]
  ): Promise<string[]> => {
    const answered: string[] = [];
    const ask = async (name: string, url: string, headers: Record<string, string>): Promise<void> => {
      await (await fetch(url, { headers })).text();
      answered.push(name);
    };
    await Promise.all(requests.map((request) => ask(...request)));
    return answered;
  };
  const chaos = { CHAOS_MONKEY: "true", CHAOS_MONKEY_SLEEP: "2000" };

  test("slows the requests it is told to, and no others", async () => {
    const discounts = await startProcess("discounts", { ...chaos, CHAOS_MONKEY_DEVICE: "mobile" });
    const url = `${discounts.url}/discounts/new`;
    const mobile = { portal: "p", device: "mobile", user: "new" };
    expect(await order(["slow", url, mobile], ["fast", url, { ...mobile, device: "web" }])).toEqual(["fast", "slow"]);
    await discounts.stop();
  });

  test("of travels goes by city", async () => {
    const env = { ...chaos, HOTELS_SERVICE: stack.url("hotels"), INSURANCES_SERVICE: stack.url("insurances") };
    const agency = await startProcess("travels", { ...env, CHAOS_MONKEY_CITY: "Paris" });
    const url = `${agency.url}/travels`;
    expect(await order(["slow", `${url}/Paris`, { travel: "x" }], ["fast", `${url}/Rome`, { travel: "x" }])).toEqual([
      "fast",
      "slow",
    ]);
    await agency.stop();
  });
});

describe("portals and control", () => {
  const put = (service: string, path: string, body: string) =>
    fetch(stack.url(service) + path, { method: "PUT", body });
  const settings = {
    request_ratio: 100,
    devices: { web: 0, mobile: 100 },
    users: { registered: 30.5, new: 69.5 },
    travel_type: { t1: 14.5, t2: 14.5, t3: 71 },
  };

  test("control lists the portals by name, with what they are", async () => {
    const all = await portals();
    expect(all.map(({ name, country, coordinates }) => [name, country, coordinates])).toEqual([
      ["travels.uk", "United Kingdom", [-3.187915, 55.956245]],
      ["viaggi.it", "Italy", [12.492194, 41.890668]],
      ["voyages.fr", "France", [2.337418, 48.86131]],
    ]);
  });

  test("settings, fractions too, reach the portal and steer its visitors", async () => {
    const response = await put("control", "/settings/voyages.fr", JSON.stringify(settings));
    expect([response.status, await response.json()]).toEqual([200, settings]);
    const { status, ...rest } = (await get("voyages", "/status")).body as PortalStatus;
    expect(rest.settings).toEqual(settings);
    const after = await until(
      async () => (await get("voyages", "/status")).body as PortalStatus,
      (now) => now.status.requests.total > status.requests.total + 2,
    );
    expect(after.status.error).toBe(false);
    expect(after.status.cities.length).toBeGreaterThan(0);
  });

  test("bad settings and unknown portals are said to be so", async () => {
    expect((await put("control", "/settings/nowhere", "{}")).status).toBe(404);
    for (const bad of ["{", '{"request_ratio": "x"}', '{"devices": 5}', '{"request_ratio": -1}']) {
      const response = await put("voyages", "/settings", bad);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: expect.any(String) as string,
        detail: expect.any(String) as string,
      });
    }
  });

  test("a portal whose agency is gone goes on, and says so", async () => {
    const lonely = await startProcess("portal", { PORTAL_NAME: "solo", TRAVELS_AGENCY_SERVICE: "http://127.0.0.1:9" });
    const control = await startProcess("control", { PORTAL_SERVICES: `solo;${lonely.url},gone;http://127.0.0.1:9` });
    const read = async () => (await (await fetch(`${control.url}/status`)).json()) as PortalStatus[];
    const [gone, solo] = await until(read, ([, second]) => second?.status.error === true);
    expect(solo?.status).toMatchObject({ cities: [], error: true });
    expect(gone).toMatchObject({
      name: "gone",
      country: "Atlantis",
      coordinates: [-25.702539, 37.747909],
      status: { error: true, cities: [] },
    });
    const undelivered = await fetch(`${control.url}/settings/gone`, { method: "PUT", body: JSON.stringify(settings) });
    expect(undelivered.status).toBe(200);
    expect(undelivered.headers.get("warning")).toContain("gone does not answer");
    expect(await Promise.all([lonely.stop(), control.stop()])).toEqual([0, 0]);
  });

  test("control without portals ends with a sentence", async () => {
    await expect(startProcess("control", {})).rejects.toThrow(/PORTAL_SERVICES is empty/);
  });
});

describe("processes", () => {
  test("the load tester prints what it saw and ends on SIGTERM", async () => {
    const env = { TRAVELS_AGENCY_SERVICE: stack.url("agency"), CONNECTIONS: "4", NUMCALLS: "20", SLEEP: "60" };
    const tester = await startProcess("loadtester", env);
    expect(await tester.line(/calls in/)).toMatch(/20 calls in [\d.]+ s \([\d.]+ qps\) \| p50 .* \| 200: 20$/);
    expect(await tester.stop()).toBe(0);
  });

  test("a service that lost its database answers 500 and recovers", async () => {
    const cars = await startProcess("cars", { MYSQL_SERVICE: "127.0.0.1:9" });
    const response = await fetch(`${cars.url}/cars/Paris`);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining("ECONNREFUSED") as string });
    expect(await cars.stop()).toBe(0);
  });

  test("a wrong address ends with a sentence", async () => {
    await expect(startProcess("discounts", { LISTEN_ADDRESS: "eight" })).rejects.toThrow(/LISTEN_ADDRESS is "eight"/);
  });
});
