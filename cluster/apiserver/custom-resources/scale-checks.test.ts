import { expect, test } from "vitest";
import { scaleFaults } from "./scale-checks.ts";

const PATHS = { spec: "spec.replicas", status: "status.replicas", selector: "status.selector" };

test.each([
  [{ spec: { replicas: 3 }, status: { replicas: 2, selector: "a=b" } }, []],
  [{}, []],
  [
    { spec: [1, "x"] },
    [
      ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: [1 x] is of the type []interface {}, expected map[string]interface{}",
    ],
  ],
  [
    { spec: { replicas: "many" }, status: { selector: { a: 1 } } },
    [
      ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: many is of the type string, expected int64",
      '.status.selector: Invalid value: "": .status.selector accessor error: map[a:1] is of the type map[string]interface {}, expected string',
    ],
  ],
  [{ spec: { replicas: -1 } }, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]],
  [
    { status: { replicas: 2_147_483_648 } },
    [".status.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647"],
  ],
])("%j", (fields, expected) => {
  const object = { apiVersion: "x/v1", kind: "X", metadata: { name: "x" }, ...fields };
  expect(scaleFaults(object, PATHS, "").map(({ field, message }) => `${field}: ${message}`)).toEqual(expected);
});
