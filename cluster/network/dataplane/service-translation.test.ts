import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import type { DataplaneSettings, ServiceConfig } from "../config.ts";
import type { NetlinkSocket } from "../netfilter/netlink-socket.ts";
import { endpoint, pod, service } from "../testing/fixtures.ts";
import { canUnshare } from "../testing/netns-host.ts";
import { eventually, startLab, type Lab } from "../testing/network-lab.ts";
import { ServiceTranslation, translatedPorts } from "./service-translation.ts";
import { DataplaneState } from "./state.ts";

const [A, B, CLIENT] = ["10.128.0.5", "10.128.0.6", "10.128.0.9"] as const;
/** Pods of another node. */
const [FAR, FAR_CLIENT] = ["10.128.1.5", "10.128.1.9"] as const;
const WEB = "10.64.0.20";
const STICKY = "10.64.0.21";
const NEAR = "10.64.0.22";

describe.skipIf(!canUnshare())("Services between pods with networks of their own", () => {
  let lab: Lab;
  const inPod: Record<string, Lab["act"]> = {};
  const sticky = (affinitySeconds: number, ...ips: string[]): ServiceConfig =>
    service(
      "shop/sticky",
      STICKY,
      80,
      ips.map((ip) => endpoint(ip, 8000)),
      { affinitySeconds },
    );
  const near = (...ips: string[]): ServiceConfig =>
    service(
      "shop/near",
      NEAR,
      80,
      ips.map((ip) => endpoint(ip, 8000, { node: ip === FAR ? "node-2" : "node-1" })),
      { local: true },
    );
  const web = (...ips: string[]): ServiceConfig =>
    service(
      "shop/web",
      WEB,
      80,
      ips.map((ip) => endpoint(ip, 8000)),
    );
  beforeAll(async () => {
    lab = await startLab({
      sandbox: "namespaces",
      namespaces: [A, B, CLIENT, FAR, FAR_CLIENT],
      snapshot: {
        pods: Object.fromEntries(
          [A, B, CLIENT, FAR, FAR_CLIENT].map((ip) => [
            ip,
            { ...pod(ip, `shop/${ip}`), node: ip.startsWith("10.128.1") ? "node-2" : "node-1" },
          ]),
        ),
        services: {
          "shop/web": web(A, B),
          "shop/sticky": sticky(60, A, B),
          "shop/near": near(A, FAR),
        },
      },
    });
    for (const ip of [A, B, CLIENT, FAR, FAR_CLIENT]) inPod[ip] = await lab.inPod(ip);
    for (const ip of [A, B, FAR]) await inPod[ip]?.({ do: "echo", ip, port: 8000, name: ip });
  });
  afterAll(() => lab?.close());

  /** Who answers on a Service's address, and whom it takes the client to be. */
  const ask = async (from: string, ip = WEB): Promise<string[]> => {
    const said = await inPod[from]?.<string>({ do: "tcp", ip, port: 80, from, data: "x" });
    return said?.split("|").slice(0, 2) ?? [];
  };
  const byKernel = () =>
    eventually(
      () => ask(CLIENT),
      (seen) => Array.isArray(seen) && seen[1] === CLIENT,
    );

  it("go to the ready endpoints in turn, and these see the client's own address", async () => {
    await byKernel();
    const seen = [];
    for (let n = 0; n < 4; n++) seen.push(await ask(CLIENT));
    expect(seen.filter(([name]) => name === A)).toHaveLength(2);
    expect(new Set(seen.map(([, source]) => source))).toEqual(new Set([CLIENT]));
  });

  it("lead a pod that is an endpoint to the others, and to itself", async () => {
    await byKernel();
    const seen = new Set<string | undefined>();
    for (let n = 0; n < 4; n++) seen.add((await ask(A))[0]);
    expect(seen).toEqual(new Set([A, B]));
  });

  it("follow a change of the endpoints, down to none and back", async () => {
    lab.apply({ services: { "shop/web": web(B) } });
    await eventually(
      async () => [await ask(CLIENT), await ask(CLIENT)],
      (seen) => Array.isArray(seen) && seen.every(([name, source]) => name === B && source === CLIENT),
    );
    lab.apply({ services: { "shop/web": web() } });
    await eventually(
      () => ask(CLIENT),
      (seen) => seen instanceof Error && seen.message === "ECONNRESET",
    );
    lab.apply({ services: { "shop/web": null } });
    await eventually(
      () => ask(CLIENT),
      (seen) => seen instanceof Error && seen.message === "ECONNREFUSED",
    );
    lab.apply({ services: { "shop/web": web(A, B) } });
    await byKernel();
  });

  it("with affinity keep a client where it was while that endpoint is there, and move it when it goes", async () => {
    const asked = async () => (await ask(CLIENT, STICKY)).join();
    await eventually(asked, (seen) => typeof seen === "string" && seen.endsWith(CLIENT));
    const kept = await asked();
    const [first, other] = kept.startsWith(A) ? [A, B] : [B, A];
    for (let n = 0; n < 8; n++) expect(await asked()).toBe(kept);
    // Another endpoint comes and goes: nothing changes for those who were here.
    lab.apply({ services: { "shop/sticky": sticky(60, first) } });
    lab.apply({ services: { "shop/sticky": sticky(60, other, first) } });
    for (let n = 0; n < 8; n++) expect(await asked()).toBe(kept);
    lab.apply({ services: { "shop/sticky": sticky(60, other) } });
    await eventually(asked, (seen) => seen === `${other},${CLIENT}`);
    // It has forgotten the endpoint that went, and stays where it was led meanwhile.
    lab.apply({ services: { "shop/sticky": sticky(60, A, B) } });
    for (let n = 0; n < 8; n++) expect(await asked()).toBe(`${other},${CLIENT}`);
  });

  it("with an affinity of a second spread a client over all of them in time", async () => {
    lab.apply({ services: { "shop/sticky": sticky(1, A, B) } });
    const seen = new Set<string | undefined>();
    await eventually(
      async () => {
        // The kernel's own time: there is no clock of ours to move.
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        return seen.add((await ask(CLIENT, STICKY))[0]).size;
      },
      (size) => size === 2,
      30_000,
    );
  });

  it("that ask for the client's node lead there, and nowhere where that has none", async () => {
    const asked = async (from: string) => (await ask(from, NEAR)).join();
    await eventually(
      () => asked(CLIENT),
      (seen) => seen === `${A},${CLIENT}`,
    );
    for (let n = 0; n < 4; n++) expect(await asked(FAR_CLIENT)).toBe(`${FAR},${FAR_CLIENT}`);
    lab.apply({ services: { "shop/near": near(A, B) } });
    await eventually(
      () => asked(FAR_CLIENT),
      (seen: unknown) => seen instanceof Error && seen.message === "ECONNRESET",
    );
    const seen = new Set([await asked(CLIENT), await asked(CLIENT)]);
    expect(seen).toEqual(new Set([`${A},${CLIENT}`, `${B},${CLIENT}`]));
  });

  it("are told in one go where there are hundreds", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [
        `many/s${n}`,
        service(
          `many/s${n}`,
          `10.64.${1 + (n >> 8)}.${n & 255}`,
          80,
          [A, B].map((ip) => endpoint(ip, 8000)),
        ),
      ]),
    );
    lab.apply({ services: many });
    await eventually(
      () => ask(CLIENT, "10.64.2.43"),
      (seen) => Array.isArray(seen) && seen[1] === CLIENT,
    );
    expect(await ask(CLIENT, "10.64.1.0")).toContain(CLIENT);
    lab.apply({ services: Object.fromEntries(Object.keys(many).map((key) => [key, null])) });
    await eventually(
      () => ask(CLIENT, "10.64.2.43"),
      (seen) => seen instanceof Error && seen.message === "ECONNREFUSED",
    );
    await byKernel();
  });
});

const state = (services: Record<string, ServiceConfig>): DataplaneState => {
  const made = new DataplaneState({ podRange: "10.128.0.0/16", serviceRange: "10.64.0.0/16" } as DataplaneSettings);
  made.apply({ services });
  return made;
};
const translated = (each: ServiceConfig) =>
  translatedPorts(state({}), each).map(({ ip, port, endpoints }) => [ip, port, ...endpoints.map((e) => e.ip)]);

test.each<[string, Partial<ServiceConfig>, unknown[]]>([
  ["of pods", {}, [[WEB, 80, A]]],
  ["without an address", { clusterIPs: [] }, []],
  ["headless", { headless: true, clusterIPs: [] }, []],
  ["with affinity", { affinitySeconds: 1 }, [[WEB, 80, A]]],
  ["of the client's node, with affinity", { affinitySeconds: 1, local: true }, []],
  ["of what is near, with affinity", { affinitySeconds: 1, prefer: "zone" }, []],
])("a Service %s", (_name, extra, expected) => {
  expect(translated(service("a/a", WEB, 80, [endpoint(A, 8000), endpoint(B, 8000, { ready: false })], extra))).toEqual(
    expected,
  );
});

test.each<[Partial<ServiceConfig>, unknown]>([
  [{ local: true }, { "10.128.0.0": [A], "10.128.1.0": [FAR] }],
  [{ prefer: "node" }, { "10.128.0.0": [A], "10.128.1.0": [FAR] }],
  [{ prefer: "zone" }, { "10.128.0.0": [A, FAR], "10.128.1.0": [A, FAR] }],
])("what pods of each node get where what is near comes first: %j", (extra, expected) => {
  const endpoints = [
    endpoint(A, 8000, { node: "node-1", zone: "east" }),
    endpoint(FAR, 8000, { node: "node-2", zone: "east" }),
    // Nobody knows where it runs.
    endpoint("10.128.2.5", 8000),
  ];
  const [port] = translatedPorts(state({}), service("a/a", WEB, 80, endpoints, extra));
  expect(Object.fromEntries(port?.nodes?.map((n) => [n.network, n.endpoints.map((e) => e.ip)]) ?? [])).toEqual(
    expected,
  );
});

test.each([
  ["a node", "10.128.1.1"],
  ["the world", "192.0.2.7"],
])("a Service that leads to %s is the dataplane's", (_name, ip) => {
  expect(translated(service("a/a", WEB, 80, [endpoint(A, 8000), endpoint(ip, 8000)]))).toEqual([]);
});

test.each<[number, Partial<ServiceConfig>, number]>([
  [1_000, {}, 1],
  [1_001, {}, 0],
  [100, { affinitySeconds: 60 }, 1],
  [101, { affinitySeconds: 60 }, 0],
  [500, { prefer: "zone" }, 1],
  [501, { prefer: "zone" }, 0],
])("a Service of %i endpoints is told only where it fits", (count, extra, ports) => {
  const zone = "east";
  const endpoints = Array.from({ length: count }, (_, n) =>
    endpoint(`10.128.${n % 2}.${2 + (n % 250)}`, 1_024 + n, { node: `node-${n % 2}`, zone }),
  );
  expect(translatedPorts(state({}), service("a/a", WEB, 80, endpoints, extra))).toHaveLength(ports);
});

test("cluster DNS and the API are the dataplane's; UDP is", () => {
  expect(translated(service("a/a", "10.64.0.10", 53, [endpoint(A, 8000)]))).toEqual([]);
  expect(translated(service("a/a", "10.64.0.1", 443, [endpoint(A, 8000)]))).toEqual([]);
  const ports = [{ name: "u", port: 80, protocol: "UDP", endpoints: [endpoint(A, 8000)] }] as const;
  expect(translated(service("a/a", WEB, 80, [], { ports }))).toEqual([]);
});

describe("what the kernel refuses", () => {
  /** An answer of the kernel: an acknowledgement, or an error's number. */
  const answer = (error: number): Buffer => {
    const bytes = Buffer.alloc(36);
    bytes.writeUInt32LE(36, 0);
    bytes.writeUInt16LE(2, 4);
    bytes.writeInt32LE(-error, 16);
    return bytes;
  };
  /** The batches' numbers of messages, the two that frame them included. */
  const kernel = (refuse: (batch: number) => number): { socket: NetlinkSocket; batches: number[] } => {
    const batches: number[] = [];
    return {
      batches,
      socket: {
        exchange(bytes) {
          let messages = 0;
          for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) messages++;
          batches.push(messages);
          return answer(refuse(batches.length));
        },
        close() {},
      },
    };
  };
  const start = (socket: NetlinkSocket, services: Record<string, ServiceConfig>, rulesMayStand = false) => {
    const said: string[] = [];
    const log = (message: string) => void said.push(message);
    const made = state(services);
    const openNetlink = () => Promise.resolve(socket);
    return { said, state: made, translation: new ServiceTranslation({ state: made, openNetlink, rulesMayStand, log }) };
  };
  const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const WITH_ONE = { "a/a": service("a/a", WEB, 80, [endpoint(A, 8000)]) };

  test("from the start is said once and not asked again", async () => {
    const { socket, batches } = kernel(() => 95);
    const { said, translation } = start(socket, WITH_ONE);
    translation.refresh(WITH_ONE);
    await turn();
    expect(said).toEqual([
      "connections to Services go through the dataplane's process: the kernel's nf_tables refused a change: error 95",
    ]);
    translation.refresh(WITH_ONE);
    await turn();
    expect(batches).toHaveLength(1);
  });

  test("later leads to one new beginning, with all Services", async () => {
    const { socket, batches } = kernel((batch) => (batch === 2 ? 12 : 0));
    const services = { ...WITH_ONE, "a/b": service("a/b", STICKY, 80, [endpoint(A, 8000)]) };
    const { said, state: made, translation } = start(socket, WITH_ONE);
    translation.refresh(WITH_ONE);
    await turn();
    made.apply({ services });
    translation.refresh({ "a/b": services["a/b"] });
    await eventually(
      () => Promise.resolve(batches.length),
      (count) => count === 4,
    );
    // The first, the one that was refused, all away, and all anew: the first and the other Service's part.
    const [first = 0, other = 0, away, anew] = batches;
    expect([away, anew]).toEqual([4, first + other - 2]);
    expect(said).toEqual([]);
  });

  test("is not found out where no Service has an endpoint, unless a dataplane before this one may have left rules", async () => {
    const empty = { "a/a": service("a/a", WEB, 80, []) };
    const { socket, batches } = kernel(() => 0);
    start(socket, empty).translation.refresh(empty);
    await turn();
    expect(batches).toEqual([]);
    start(socket, empty, true).translation.refresh(empty);
    await turn();
    expect(batches).toHaveLength(1);
  });
});
