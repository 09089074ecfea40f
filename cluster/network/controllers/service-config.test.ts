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
});
