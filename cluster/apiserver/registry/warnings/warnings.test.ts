import { readFileSync } from "node:fs";
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import { defaultBuiltin } from "@travelops/kube/schema/builtin-defaults";
import { builtinRows } from "@travelops/kube/schema/table";
import { describe, expect, it } from "vitest";
import { builtinStrategy } from "../strategies/index.ts";
import { tableOf } from "../strategies/base.ts";
import type { Strategy, StrategyContext } from "../strategy.ts";

interface Warned {
  readonly input: KubeObject;
  /** As kube-apiserver 1.35 answered when asked. */
  readonly warnings: readonly string[];
}

const cases = JSON.parse(readFileSync(new URL("./testdata/warned.json", import.meta.url), "utf8")) as readonly Warned[];

/** What is said of an object on its way in, and what becomes of it. */
function created(object: KubeObject): { said: string[]; stored: KubeObject; strategy: Strategy } {
  const { group, version } = parseApiVersion(object.apiVersion);
  const row = builtinRows().find((r) => r.group === group && r.version === version && r.kind === object.kind);
  if (row === undefined) throw new Error(`no row for ${object.apiVersion} ${object.kind}`);
  const strategy = builtinStrategy(row, tableOf(row), {});
  const said: string[] = [];
  const context = { now: "2026-01-01T00:00:00Z", dryRun: false, warn: (text: string) => void said.push(text) };
  const given = defaultBuiltin(row, object);
  const stored = strategy.afterAdmission?.(given, undefined, context as StrategyContext) ?? given;
  said.push(...(strategy.warnings?.(stored, undefined) ?? []));
  return { said, stored, strategy };
}

describe("warnings of objects that make pods", () => {
  it.each(cases.map((c) => [c.input.kind, c] as const))("says of a %s what the real server says", (_kind, c) => {
    expect(created(c.input).said).toEqual(c.warnings);
  });

  it("keeps nothing of features that are off", () => {
    const { stored } = created({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: {
        workloadRef: { name: "w", podGroup: "g" },
        containers: [{ name: "c", image: "i", lifecycle: { stopSignal: "SIGTERM" } }],
        volumes: [
          { name: "v", projected: { sources: [{ clusterTrustBundle: { path: "x" }, secret: { name: "s" } }] } },
        ],
      },
    });
    expect(stored["spec"]).not.toHaveProperty("workloadRef");
    expect(stored["spec"]).not.toHaveProperty("containers[0].lifecycle");
    expect(stored["spec"]).toMatchObject({ volumes: [{ projected: { sources: [{ secret: { name: "s" } }] } }] });
  });

  it("says nothing of an update that leaves the template as it is", () => {
    const { stored, strategy } = created(cases[1]?.input ?? { apiVersion: "", kind: "", metadata: {} });
    expect(strategy.warnings?.(stored, stored)).toEqual([]);
  });
});
