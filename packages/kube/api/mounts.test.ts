import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { mountedAt } from "./mounts.ts";

const root = mkdtempSync(join(tmpdir(), "mounts-"));
mkdirSync(join(root, "data"));
afterAll(() => rmSync(root, { recursive: true }));

it.each([
  ["in a pod", "/data/git", {}, "/data/git"],
  ["in the bare sandbox", "/data/git", { TRAVELOPS_MOUNTS: root }, join(root, "data/git")],
  ["of what is no mount", "/etc/ssl", { TRAVELOPS_MOUNTS: root }, "/etc/ssl"],
])("tells the place %s", (_where, path, env, place) => {
  expect(mountedAt(path, env)).toBe(place);
});
