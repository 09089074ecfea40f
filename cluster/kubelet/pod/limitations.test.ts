import { expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import type { SandboxUsers } from "../sandbox/sandbox.ts";
import { podLimitations } from "./limitations.ts";

const limits = { memory: "cgroup", cpu: "cgroup", pids: "cgroup" } as const;
const said = (kind: "namespaces" | "bare", users: SandboxUsers, spec: Partial<Pod["spec"]>): string[] =>
  podLimitations(
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c" }], ...spec } },
    { kind, limits, users },
  );

test("groups are real where containers have a range of them, and said where not", () => {
  const spec = { securityContext: { fsGroup: 2000, supplementalGroups: [3000] } };
  expect(said("namespaces", { kind: "range", hostId: (id) => id }, spec)).toEqual([]);
  expect(said("namespaces", { kind: "single" }, spec).join()).toMatch(/^groups 3000, 2000 are not joined/);
});

test("a termination message of its own place is elsewhere without mounts", () => {
  const at = (terminationMessagePath?: string) => ({
    containers: [{ name: "c", ...(terminationMessagePath === undefined ? {} : { terminationMessagePath }) }],
  });
  expect(said("bare", { kind: "none" }, at("why"))).toEqual([
    "the termination message is read from $TRAVELOPS_MOUNTS/why in the bare sandbox (c)",
  ]);
  expect(said("bare", { kind: "none" }, at())).toEqual([]);
  expect(said("namespaces", { kind: "single" }, at("/why"))).toEqual([]);
});
