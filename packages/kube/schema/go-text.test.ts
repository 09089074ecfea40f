import { expect, it } from "vitest";
import { goText } from "./go-text.ts";

it("prints JSON as Go prints its maps", () => {
  expect(goText({ spec: { b: [1, "x", true], a: null }, metadata: {} })).toBe(
    "map[metadata:map[] spec:map[a:<nil> b:[1 x true]]]",
  );
});
