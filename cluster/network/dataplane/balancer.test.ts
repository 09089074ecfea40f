import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endpoint, service } from "../testing/fixtures.ts";
import { Balancer } from "./balancer.ts";

const endpoints = (n: number) =>
  Array.from({ length: n }, (_, i) => endpoint(`10.128.0.${i + 1}`, 80, { ready: true }));
const rowOf = (n: number, extra = {}) => {
  const row = service("a/b", "10.64.0.2", 80, endpoints(n), extra);
  const port = row.ports[0];
  if (port === undefined) throw new Error("no port");
  return { row, port };
};

describe("the balancer", () => {
  it("is fair: every endpoint gets its share, whatever their number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }), (n, rounds) => {
        const balancer = new Balancer(() => 0);
        const { row, port } = rowOf(n);
        const counts = new Map<string, number>();
        for (let i = 0; i < n * rounds; i++) {
          const first = balancer.order(row, port, {})[0]?.ip ?? "";
          counts.set(first, (counts.get(first) ?? 0) + 1);
        }
        expect([...counts.values()]).toEqual(Array.from({ length: n }, () => rounds));
      }),
    );
  });

  it("offers every ready endpoint once, and no other", () => {
    const { row } = rowOf(0);
    const port = {
      name: "",
      port: 80,
      protocol: "TCP" as const,
      endpoints: [...endpoints(3), endpoint("10.128.9.9", 80, { ready: false })],
    };
    expect(
      new Balancer(() => 0)
        .order(row, port, {})
        .map((e) => e.ip)
        .toSorted(),
    ).toEqual(["10.128.0.1", "10.128.0.2", "10.128.0.3"]);
  });

  it("keeps a client with its endpoint until the affinity ends or the endpoint goes", () => {
    let now = 0;
    const balancer = new Balancer(() => now);
    const { row, port } = rowOf(3, { affinitySeconds: 10 });
    const pick = (from = port): string => {
      const first = balancer.order(row, from, { ip: "10.128.5.5" })[0];
      if (first !== undefined) balancer.served(row, "10.128.5.5", first);
      return first?.ip ?? "";
    };
    const kept = pick();
    expect([pick(), pick(), pick()]).toEqual([kept, kept, kept]);
    expect(pick({ ...port, endpoints: port.endpoints.filter((e) => e.ip !== kept) })).not.toBe(kept);
    const second = pick();
    now = 10_001;
    const later = new Set([pick(), (now += 20_000) && pick(), (now += 20_000) && pick()]);
    expect(later.size).toBeGreaterThan(1);
    expect(second).not.toBe("");
  });

  it("keeps to the client's node where the Service wants that, and to what is nearest where it may", () => {
    const port = {
      name: "",
      port: 80,
      protocol: "TCP" as const,
      endpoints: [
        endpoint("10.128.0.1", 80, { node: "a", zone: "x" }),
        endpoint("10.128.1.1", 80, { node: "b", zone: "x" }),
        endpoint("10.128.2.1", 80, { node: "c", zone: "y" }),
      ],
    };
    const from = (rules: object, client: object): string[] =>
      new Balancer(() => 0).order(rowOf(0, rules).row, port, client).map((e) => e.ip);
    expect(from({ local: true }, { node: "b" })).toEqual(["10.128.1.1"]);
    expect(from({ local: true }, { node: "d" })).toEqual([]);
    expect(from({ local: true }, {})).toHaveLength(3);
    expect(from({ prefer: "zone" }, { node: "b", zone: "x" })).toEqual(["10.128.0.1", "10.128.1.1"]);
    expect(from({ prefer: "zone" }, { node: "d", zone: "z" })).toHaveLength(3);
    expect(from({ prefer: "node" }, { node: "b", zone: "x" })).toEqual(["10.128.1.1"]);
    expect(from({ prefer: "node" }, { node: "d", zone: "y" })).toEqual(["10.128.2.1"]);
  });
});
