import { describe, expect, it } from "vitest";
import { compileJsonPath, JsonPathError } from "./json-path.ts";

const object = {
  metadata: { labels: { "a.b/c": "dotted" } },
  spec: { hosts: ["x", "y"], map: { k: 1 } },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Synced", status: "False", count: 3 },
    ],
  },
};

describe("compileJsonPath", () => {
  it.each([
    [".spec.hosts", [["x", "y"]]],
    [".spec.hosts[0]", ["x"]],
    [".spec.hosts[-1]", ["y"]],
    [".spec.hosts[*]", ["x", "y"]],
    ["{.spec.map.*}", [1]],
    ["$.spec.map['k']", [1]],
    [".metadata.labels.a\\.b/c", ["dotted"]],
    [".metadata.labels['a.b/c']", ["dotted"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type=='Synced')].count", [3]],
    [".status.conditions[?(@.count)].type", ["Synced"]],
    ['.status.conditions[?(@.type!="Ready")].type', ["Synced"]],
    [".nothing.here", []],
    [".constructor", []],
  ])("%s", (path, expected) => {
    expect(compileJsonPath(path)(object)).toEqual(expected);
  });

  it.each([".spec[", ".a..b["])("refuses %s", (path) => {
    expect(() => compileJsonPath(path)).toThrow(JsonPathError);
  });
});
