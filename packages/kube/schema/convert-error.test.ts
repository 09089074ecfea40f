import { expect, test } from "vitest";
import { convertTypeError } from "./convert-error.ts";
import { kindNode } from "./table.ts";

const node = kindNode("apps", "v1", "Deployment");

test.each([
  [{ spec: { replicas: 2.5 } }, "cannot convert float64 to int32"],
  [{ spec: { replicas: "two" } }, "unrecognized type: int32"],
  [{ spec: { replicas: 2, paused: "yes" } }, "unrecognized type: bool"],
  [{ spec: { template: { spec: { nodeName: 3 } } } }, "cannot convert int64 to string"],
  [{ spec: { template: { spec: { containers: { name: "c" } } } } }, "cannot restore slice from map"],
  [{ spec: 3 }, "cannot restore struct from: int64"],
  [{ metadata: { labels: ["a"] } }, "cannot restore map from slice"],
  [{ spec: { replicas: 2, strategy: { rollingUpdate: { maxSurge: "25%" } } } }, undefined],
  [{ spec: { replicas: null } }, undefined],
])("%j: %s", (value, error) => {
  if (node === undefined) throw new Error("no schema of Deployments");
  expect(convertTypeError(node, value)).toBe(error);
});
