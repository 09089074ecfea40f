import { describe, expect, it } from "vitest";
import type { Service } from "@travelops/kube";
import { compileService } from "./service-config.ts";

const service = (name: string, ports: Service["spec"]["ports"]): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports },
});

describe("Services", () => {
  it("take ready endpoints, and those that end while they serve where there is no other", () => {
    const slice = (conditions: object[]) => ({
      apiVersion: "",
      kind: "EndpointSlice",
      metadata: {},
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080 }],
      endpoints: conditions.map((c, i) => ({ addresses: [`10.128.0.${i}`], conditions: c })),
    });
    const ready = (conditions: object[]): boolean[] =>
      compileService(service("web", [{ name: "http", port: 80 }]), [slice(conditions)]).ports[0]?.endpoints.map(
        (e) => e.ready,
      ) ?? [];
    const ending = { ready: false, serving: true, terminating: true };
    expect(ready([{ ready: true }, ending, {}])).toEqual([true, false, true]);
    expect(ready([ending, { ready: false }])).toEqual([true, false]);
  });

  it("say where their endpoints are only where that matters", () => {
    const slice = {
      apiVersion: "",
      kind: "EndpointSlice",
      metadata: {},
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080 }],
      endpoints: [{ addresses: ["10.128.0.5"], nodeName: "a", zone: "x" }],
    };
    const plain = service("web", [{ name: "http", port: 80, nodePort: 30_080 }]);
    const row = compileService(plain, [slice]);
    expect(row.ports[0]).toEqual({
      name: "http",
      port: 80,
      protocol: "TCP",
      nodePort: 30_080,
      endpoints: [{ ip: "10.128.0.5", port: 8080, ready: true }],
    });
    const near = compileService({ ...plain, spec: { ...plain.spec, trafficDistribution: "PreferClose" } }, [slice]);
    expect(near.prefer).toBe("zone");
    expect(near.ports[0]?.endpoints[0]).toMatchObject({ node: "a", zone: "x" });
    expect(
      compileService(
        { ...plain, spec: { ...plain.spec, internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" } },
        [slice],
      ),
    ).toMatchObject({ local: true, externalLocal: true });
  });
});
