import dnsPacket, { type Answer, type RecordType } from "dns-packet";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DataplaneSettings } from "../config.ts";
import { endpoint, service } from "../testing/fixtures.ts";
import { answerQuestion, searchNames } from "./dns-answer.ts";
import { answerPacket, type DnsServerOptions } from "./dns-server.ts";
import { resolveInCluster } from "./resolve.ts";
import { DataplaneState } from "./state.ts";

const settings: DataplaneSettings = {
  clusterName: "hub",
  clusterDomain: "cluster.local",
  appsDomain: "apps.hub.travelops.localhost",
  podRange: "10.128.0.0/16",
  serviceRange: "10.64.0.0/16",
  sandbox: "namespaces",
  socketPath: "",
  certificate: { cert: "", key: "" },
  publicPorts: { http: 80, https: 443 },
};
const state = new DataplaneState(settings);
const dbEndpoints = [
  endpoint("10.128.0.5", 5432, { hostname: "db-0" }),
  endpoint("10.128.0.6", 5432),
  endpoint("10.128.0.7", 5432, { hostname: "db-2", ready: false }),
];
state.apply({
  services: {
    "shop/web": service("shop/web", "10.64.0.20", 80, []),
    "shop/db": service("shop/db", "", 5432, dbEndpoints, { headless: true }),
    "shop/early": service("shop/early", "", 5432, dbEndpoints, { headless: true, publishNotReady: true }),
    "shop/empty": service("shop/empty", "", 80, [], { headless: true }),
    "shop/portless": service("shop/portless", "", 0, [endpoint("10.128.0.5", 0)], { headless: true }),
    "shop/out": service("shop/out", "", 80, [], { ports: [], externalName: "example.org" }),
    "shop/addressed": service("shop/addressed", "", 80, [], { ports: [], externalName: "192.0.2.1" }),
    "shop/twins": service(
      "shop/twins",
      "",
      80,
      [endpoint("10.128.1.1", 80, { hostname: "same" }), endpoint("10.128.1.2", 80, { hostname: "same" })],
      { headless: true },
    ),
    "shop/many": service("shop/many", "10.64.0.21", 80, [], {
      ports: [
        {
          name: "http",
          port: 80,
          protocol: "TCP",
          endpoints: [endpoint("10.128.0.9", 8080), endpoint("10.128.0.8", 8080, { ready: false })],
        },
        { name: "https", port: 443, protocol: "TCP", endpoints: [endpoint("10.128.0.9", 8443)] },
      ],
    }),
    "shop/alias": service("shop/alias", "", 80, [], {
      ports: [],
      externalName: "web.shop.svc.cluster.local",
    }),
  },
});

const REVERSE = ["db-0.db", "db-0.early", "10-128-0-5.portless"]
  .map((name) => `PTR ${name}.shop.svc.cluster.local`)
  .join(", ");

const short = (record: Answer): string => {
  const data = "data" in record ? record.data : "";
  if (record.type === "SRV") return `SRV ${record.data.port} ${record.data.target}`;
  return `${record.type} ${typeof data === "string" ? data : JSON.stringify(data)}`;
};
const ask = (name: string, type: RecordType): string => {
  const result = answerQuestion(state, name, type);
  if (result.kind === "answer") return result.answers.map(short).join(", ");
  return result.kind === "cname" ? `${result.answers.map(short).join(", ")} → ${result.target}` : result.kind;
};

describe("cluster DNS", () => {
  it.each<[string, RecordType, string]>([
    ["web.shop.svc.cluster.local", "A", "A 10.64.0.20"],
    ["WEB.Shop.svc.cluster.local.", "A", "A 10.64.0.20"],
    ["web.shop.svc.cluster.local", "AAAA", "nodata"],
    ["web.shop.svc.cluster.local", "SRV", "SRV 80 web.shop.svc.cluster.local"],
    ["_http._tcp.web.shop.svc.cluster.local", "SRV", "SRV 80 web.shop.svc.cluster.local"],
    ["_http._tcp.web.shop.svc.cluster.local", "A", "A 10.64.0.20"],
    ["http.tcp.web.shop.svc.cluster.local", "SRV", "SRV 80 web.shop.svc.cluster.local"],
    ["_http._tcp.web.shop.svc.cluster.local", "TXT", "nodata"],
    ["_x._tcp.web.shop.svc.cluster.local", "A", "nxdomain"],
    ["a._http._tcp.web.shop.svc.cluster.local", "A", "nxdomain"],
    ["web.shop.svc.cluster.local", "TXT", "nodata"],
    ["nope.shop.svc.cluster.local", "TXT", "nxdomain"],
    ["many.shop.svc.cluster.local", "SRV", "SRV 80 many.shop.svc.cluster.local, SRV 443 many.shop.svc.cluster.local"],
    ["_https._tcp.many.shop.svc.cluster.local", "SRV", "SRV 443 many.shop.svc.cluster.local"],
    ["10-128-0-9.many.shop.svc.cluster.local", "A", "A 10.128.0.9"],
    ["10-128-0-8.many.shop.svc.cluster.local", "A", "nxdomain"],
    ["9.0.128.10.in-addr.arpa", "PTR", "PTR 10-128-0-9.many.shop.svc.cluster.local"],
    ["8.0.128.10.in-addr.arpa", "PTR", "nxdomain"],
    ["_http._tcp.db.shop.svc.cluster.local", "A", "A 10.128.0.5, A 10.128.0.6"],
    ["_http._tcp.empty.shop.svc.cluster.local", "SRV", "nxdomain"],
    ["db-0.db.shop.svc.cluster.local", "AAAA", "nodata"],
    ["5.0.128.10.in-addr.arpa", "PTR", REVERSE],
    ["same.twins.shop.svc.cluster.local", "A", "A 10.128.1.1, A 10.128.1.2"],
    ["twins.shop.svc.cluster.local", "SRV", "SRV 80 same.twins.shop.svc.cluster.local"],
    ["out.shop.svc.cluster.local", "AAAA", "CNAME example.org → example.org"],
    ["out.shop.svc.cluster.local", "SRV", "nodata"],
    ["sub.out.shop.svc.cluster.local", "A", "nxdomain"],
    ["addressed.shop.svc.cluster.local", "A", "nxdomain"],
    ["pod.cluster.local", "A", "nodata"],
    ["10-128-0-5.shop.pod.cluster.local", "AAAA", "nodata"],
    ["ns.dns.cluster.local", "A", "A 10.64.0.10"],
    ["cluster.local", "NS", "NS ns.dns.cluster.local"],
    ["foo.svc.cluster.local", "NS", "nxdomain"],
    ["_http._udp.web.shop.svc.cluster.local", "SRV", "nxdomain"],
    ["x.web.shop.svc.cluster.local", "A", "nxdomain"],
    ["nope.shop.svc.cluster.local", "A", "nxdomain"],
    ["web.nowhere.svc.cluster.local", "A", "nxdomain"],
    ["shop.svc.cluster.local", "A", "nodata"],
    ["nowhere.svc.cluster.local", "A", "nxdomain"],
    ["svc.cluster.local", "A", "nodata"],
    ["cluster.local", "A", "nodata"],
    ["other.cluster.local", "A", "nxdomain"],
    ["db.shop.svc.cluster.local", "A", "A 10.128.0.5, A 10.128.0.6"],
    ["early.shop.svc.cluster.local", "A", "A 10.128.0.5, A 10.128.0.6, A 10.128.0.7"],
    [
      "db.shop.svc.cluster.local",
      "SRV",
      "SRV 5432 db-0.db.shop.svc.cluster.local, SRV 5432 10-128-0-6.db.shop.svc.cluster.local",
    ],
    ["db-0.db.shop.svc.cluster.local", "A", "A 10.128.0.5"],
    ["10-128-0-6.db.shop.svc.cluster.local", "A", "A 10.128.0.6"],
    ["db-2.db.shop.svc.cluster.local", "A", "nxdomain"],
    ["empty.shop.svc.cluster.local", "A", "nxdomain"],
    ["portless.shop.svc.cluster.local", "A", "A 10.128.0.5"],
    ["portless.shop.svc.cluster.local", "SRV", "nodata"],
    ["out.shop.svc.cluster.local", "A", "CNAME example.org → example.org"],
    ["out.shop.svc.cluster.local", "CNAME", "CNAME example.org"],
    ["alias.shop.svc.cluster.local", "A", "CNAME web.shop.svc.cluster.local, A 10.64.0.20"],
    ["20.0.64.10.in-addr.arpa", "PTR", "PTR web.shop.svc.cluster.local"],
    [
      "6.0.128.10.in-addr.arpa",
      "PTR",
      "PTR 10-128-0-6.db.shop.svc.cluster.local, PTR 10-128-0-6.early.shop.svc.cluster.local",
    ],
    ["9.9.64.10.in-addr.arpa", "PTR", "nxdomain"],
    ["4.4.8.8.in-addr.arpa", "PTR", "outside"],
    ["10-128-0-5.shop.pod.cluster.local", "A", "A 10.128.0.5"],
    ["10-128-0-5-1.shop.pod.cluster.local", "A", "nxdomain"],
    ["web.apps.hub.travelops.localhost", "A", "A 10.128.0.1"],
    ["a.web.apps.hub.travelops.internal", "A", "A 10.128.0.1"],
    ["web.apps.hub.travelops.internal", "AAAA", "nodata"],
    ["api.hub.travelops.internal", "A", "sibling"],
    ["web.apps.east.travelops.localhost", "AAAA", "sibling"],
    ["host.travelops.internal", "A", "outside"],
    ["localhost", "A", "A 127.0.0.1"],
    ["dns-version.cluster.local", "TXT", "TXT 1.1.0"],
    ["example.org", "A", "outside"],
  ])("%s %s → %s", (name, type, expected) => {
    expect(ask(name, type)).toBe(expected);
  });

  it("gives SRV records equal shares, and their addresses along", () => {
    const shares = (name: string): (string | number)[] => {
      const result = answerQuestion(state, name, "SRV");
      if (result.kind !== "answer") return [result.kind];
      const weights = result.answers.map((r) => (r.type === "SRV" ? (r.data.weight ?? 0) : r.type));
      return [...weights, ...result.additionals.map(short)];
    };
    expect(shares("web.shop.svc.cluster.local")).toEqual([100, "A 10.64.0.20"]);
    expect(shares("many.shop.svc.cluster.local")).toEqual([50, 50, "A 10.64.0.21"]);
    expect(shares("twins.shop.svc.cluster.local")).toEqual([50, "A 10.128.1.1", "A 10.128.1.2"]);
  });

  it("tries search paths first for names of fewer than five dots", () => {
    const first = (name: string): string | undefined => searchNames(name, "shop", "cluster.local")[0];
    expect([first("a.b.c.d.e"), first("a.b.c.d.e.f"), first("a.")]).toEqual([
      "a.b.c.d.e.shop.svc.cluster.local",
      "a.b.c.d.e.f",
      "a.",
    ]);
  });

  it("does not loop on ExternalNames that name each other", () => {
    const looped = new DataplaneState(settings);
    looped.apply({
      services: {
        "a/x": service("a/x", "", 80, [], { ports: [], externalName: "y.a.svc.cluster.local" }),
        "a/y": service("a/y", "", 80, [], { ports: [], externalName: "x.a.svc.cluster.local" }),
      },
    });
    expect(answerQuestion(looped, "x.a.svc.cluster.local", "A").kind).toBe("answer");
  });

  it("follows changes of a Service", () => {
    const changing = new DataplaneState(settings);
    changing.apply({ services: { "a/b": service("a/b", "10.64.1.1", 80, []) } });
    changing.apply({ services: { "a/b": service("a/b", "10.64.1.2", 80, []) } });
    expect(changing.serviceAt("10.64.1.1")).toBeUndefined();
    expect(changing.serviceAt("10.64.1.2")?.name).toBe("b");
    changing.apply({ services: { "a/b": null } });
    expect(answerQuestion(changing, "a.svc.cluster.local", "A").kind).toBe("nxdomain");
  });

  it("resolves as a pod's search paths do", () => {
    expect(searchNames("web", "shop", "cluster.local")[0]).toBe("web.shop.svc.cluster.local");
    expect(resolveInCluster(state, "web", "A", "shop")).toEqual({ kind: "records", records: ["10.64.0.20"] });
    expect(resolveInCluster(state, "web", "A", "other")).toEqual({ kind: "nxdomain" });
    expect(resolveInCluster(state, "web.shop.svc", "A", "other")).toEqual({
      kind: "records",
      records: ["10.64.0.20"],
    });
    expect(resolveInCluster(state, "github.com", "A", "shop")).toEqual({ kind: "outside" });
  });
});

describe("DNS packets", () => {
  const options: DnsServerOptions = {
    state,
    forward: () => Promise.resolve(undefined),
    sibling: (host) => Promise.resolve(host.includes(".east.") ? { address: "10.127.1.1", ports: {} } : undefined),
    random: () => 0,
    log: () => {},
  };
  const query = (name: string, type: RecordType): Buffer =>
    dnsPacket.encode({
      type: "query",
      id: 7,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type, name }],
    });
  const answered = async (raw: Buffer, size = 65_534): Promise<dnsPacket.DecodedPacket & { rcode?: string }> =>
    dnsPacket.decode((await answerPacket(options, raw, size)) ?? Buffer.alloc(0));

  it("tell a name that is not there from one without such records", async () => {
    expect(await answered(query("nope.shop.svc.cluster.local", "A"))).toMatchObject({
      id: 7,
      rcode: "NXDOMAIN",
      flag_aa: true,
      authorities: [{ type: "SOA" }],
    });
    expect(await answered(query("web.shop.svc.cluster.local", "AAAA"))).toMatchObject({
      rcode: "NOERROR",
      answers: [],
      authorities: [{ type: "SOA" }],
    });
    expect(await answered(query("example.org", "A"))).toMatchObject({ rcode: "NXDOMAIN" });
    const negative = { name: "cluster.local", ttl: 5, data: { mname: "ns.dns.cluster.local", minimum: 5 } };
    expect((await answered(query("nope.shop.svc.cluster.local", "A"))).authorities).toMatchObject([negative]);
    expect((await answered(query("cluster.local", "SOA"))).answers).toMatchObject([negative]);
  });

  it("know other clusters as long as they are there", async () => {
    const seen = async (name: string, type: RecordType): Promise<unknown[]> => {
      const { rcode, answers } = await answered(query(name, type));
      return [rcode, ...(answers ?? []).map(short)];
    };
    expect(await seen("API.east.travelops.internal", "A")).toEqual(["NOERROR", "A 10.127.1.1"]);
    expect(await seen("api.east.travelops.internal", "AAAA")).toEqual(["NOERROR"]);
    expect(await seen("api.east.travelops.localhost", "A")).toEqual(["NOERROR", "A 10.127.1.1"]);
    expect(await seen("api.west.travelops.internal", "A")).toEqual(["NXDOMAIN"]);
    expect(await seen("api.west.travelops.localhost", "A")).toEqual(["NOERROR", "A 127.0.0.1"]);
  });

  it("are cut off over UDP and whole over TCP", async () => {
    const many = Array.from({ length: 200 }, (_, i) => endpoint(`10.128.2.${i}`, 80));
    state.apply({ services: { "big/big": service("big/big", "", 80, many, { headless: true }) } });
    const raw = query("big.big.svc.cluster.local", "A");
    expect(await answered(raw)).toMatchObject({ flag_tc: true, answers: [] });
    expect((await answered(raw, 65_535)).answers).toHaveLength(200);
  });

  it("never break the server, whatever they hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 40 }), async (noise, at) => {
        const raw = query("web.shop.svc.cluster.local", "A");
        raw.set(noise.subarray(0, Math.max(0, raw.length - at)), Math.min(at, raw.length - 1));
        await answerPacket(options, raw, 65_534).catch(() => undefined);
        await answerPacket(options, Buffer.from(noise), 65_534).catch(() => undefined);
      }),
    );
    expect((await answered(query("web.shop.svc.cluster.local", "A"))).answers).toHaveLength(1);
  });
});
