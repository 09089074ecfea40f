import { builtinRows } from "@travelops/kube/schema/table";
import { describe, expect, it } from "vitest";
import { type Answer, difference } from "./compare.ts";
import { mutations } from "./mutate.ts";
import { requestOf } from "./requests.ts";

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", finalizers: ["x.y/z"] },
  data: { key: "value" },
};
const node = builtinRows().find(({ kind }) => kind === "ConfigMap")?.schema;
const all = [...mutations(configMap, node)];

describe("mutations", () => {
  it("change every field, add those that are not there, and leave the object alone", () => {
    const paths = new Set(all.map(({ path }) => path.join(".")));
    for (const path of ["data", "data.key", "metadata.finalizers.0", "metadata.labels", "immutable", "binaryData"])
      expect(paths).toContain(path);
    expect(paths).not.toContain("metadata.name");
    expect(configMap.data).toEqual({ key: "value" });
    for (const { object } of all) expect(object).not.toEqual(configMap);
  });

  it("are sent whole, or as the part that differs with what names it", () => {
    const path = ["metadata", "finalizers", 0];
    const mutation = { name: "other", path, object: { ...configMap, metadata: { name: "a", finalizers: ["q"] } } };
    expect(requestOf("create", mutation, "/c", "a")?.body).toMatchObject({ metadata: { name: "a2" } });
    expect(requestOf("update", mutation, "/c", "a")).toMatchObject({ method: "PUT", path: "/c/a" });
    expect(requestOf("strategic", mutation, "/c", "a")?.body).toEqual({ metadata: { finalizers: ["q"] } });
    expect(requestOf("strategic", { ...mutation, name: "gone" }, "/c", "a")).toBeUndefined();
  });
});

describe("answers", () => {
  const answer = (body: unknown, code = 200): Answer => ({ code, body, warnings: [] });
  const refusal = (...messages: string[]): Answer =>
    answer(
      { message: messages.join(), details: { causes: messages.map((message) => ({ field: "f", message })) } },
      422,
    );

  it("do not differ by what each server picks for itself", () => {
    const at = (uid: string, resourceVersion: string): Answer => answer({ metadata: { uid, resourceVersion } });
    const ids = ["0b0e6f0c-1d4c-4b7a-9a53-7f0f6f4a2b11", "1b0e6f0c-1d4c-4b7a-9a53-7f0f6f4a2b12"] as const;
    expect(difference(at(ids[0], "1"), at(ids[1], "22"))).toBe("");
  });

  it("differ by code, by what is stored, by faults and their order", () => {
    expect(difference(answer({}), refusal("a"))).toContain("code 200 ours 422");
    expect(difference(answer({ a: { b: 1 } }), answer({ a: { b: 2 } }))).toBe(".body.a.b: 1 ours 2");
    expect(difference(refusal("a", "b"), refusal("b"))).toBe('missing ["f: a"] extra []');
    expect(difference(refusal("a", "b"), refusal("b", "a"))).toContain("order");
    expect(difference(refusal("a"), refusal("a"))).toBe("");
  });
});
