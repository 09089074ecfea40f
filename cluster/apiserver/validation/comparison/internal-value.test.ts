import { describe, expect, it } from "vitest";
import { internalLines, internalText } from "./internal-value.ts";

describe("objects in upstream's internal form", () => {
  it("leaves nothing out, and writes what is unset as Go has it", () => {
    expect(internalText("Toleration", { key: "a", operator: "Exists" })).toBe(
      '{"Key":"a","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
    );
    expect(internalText("*Toleration", undefined)).toBe("null");
  });

  it("has the fields of structs that stand inline among the others", () => {
    expect(internalText("ConfigMapKeySelector", { name: "c", key: "k" })).toBe(
      '{"Name":"c","Key":"k","Optional":null}',
    );
  });

  it("has the host's namespaces in a pod's security context, which is always there", () => {
    const text = internalText("PodSpec", { hostNetwork: true, containers: [] });
    expect(text).toContain('"SecurityContext":{"HostNetwork":true,"HostPID":false,');
    expect(text).toContain('"Containers":[],');
  });

  it("keeps the names of metadata and selectors, sorts maps and escapes as Go does", () => {
    expect(internalText("PodTemplateSpec", { metadata: { labels: { b: "1", a: "<" } } })).toMatch(
      /^\{"labels":\{"a":"\\u003c","b":"1"\},"Spec":\{"Volumes":null,/,
    );
    const selector = { matchExpressions: [{ values: ["x"], operator: "In", key: "a" }], matchLabels: {} };
    expect(internalText("*x", selector)).toBe(
      '{"matchLabels":{},"matchExpressions":[{"key":"a","operator":"In","values":["x"]}]}',
    );
  });

  it("takes a line for each field when asked", () => {
    expect(internalLines("SecretReference", { name: "n" })).toBe('{\n "Name": "n",\n "Namespace": ""\n}');
  });
});
