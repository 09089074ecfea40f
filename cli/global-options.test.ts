import { expect, it } from "vitest";
import { hoistDataDir } from "./global-options.ts";

it.each([
  [
    ["up", "--data-dir", "d", "-d"],
    ["--data-dir", "d", "up", "-d"],
  ],
  [
    ["up", "--data-dir=d"],
    ["--data-dir=d", "up"],
  ],
  [
    ["--data-dir", "d", "status"],
    ["--data-dir", "d", "status"],
  ],
  [
    ["kubectl", "get", "--data-dir", "d"],
    ["kubectl", "get", "--data-dir", "d"],
  ],
  [
    ["--data-dir", "d", "helm", "list", "--", "x"],
    ["--data-dir", "d", "helm", "list", "--", "x"],
  ],
  [
    ["up", "--data-dir"],
    ["up", "--data-dir"],
  ],
  [[], []],
])("reads %j as %j", (given, read) => {
  expect(hoistDataDir(given)).toEqual(read);
});
