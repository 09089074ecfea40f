import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findControlGroups, groupName, removeStaleGroups } from "./control-groups.ts";

/** A tree of directories that looks like control groups; a group is made by mkdir alone, as in the kernel's. */
describe("where control groups are looked for", () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), "travelops-cgroup-"))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const proc = (mounts: readonly string[], own: string): string => {
    const directory = join(root, "proc");
    mkdirSync(directory);
    writeFileSync(join(directory, "mountinfo"), mounts.map((line) => `${line}\n`).join(""));
    writeFileSync(join(directory, "cgroup"), own);
    return directory;
  };

  test("version 1: each controller below our own group of it", () => {
    for (const path of ["memory/a/b", "pids", "cpu"]) mkdirSync(join(root, path), { recursive: true });
    const mount = (name: string): string => `30 20 0:1 / ${root}/${name} rw - cgroup cgroup rw,${name}`;
    const from = proc(["memory", "pids", "cpu"].map(mount), "4:memory:/a/b\n3:cpu,cpuacct:/\n8:pids:/\n0::/\n");
    const name = groupName("x", 1);
    expect(findControlGroups(name, from)).toEqual({
      version: 1,
      memory: join(root, "memory/a/b", name),
      cpu: join(root, "cpu", name),
      pids: join(root, "pids", name),
    });
  });

  test("version 2: where a group above ours offers memory and pids", () => {
    const own = join(root, "user.slice/session.scope");
    mkdirSync(own, { recursive: true });
    // What the kernel would show in a new group is there before it is made.
    const name = groupName("x", 1);
    mkdirSync(join(root, "user.slice", name));
    writeFileSync(join(root, "user.slice", name, "cgroup.controllers"), "cpu memory pids\n");
    const from = proc([`30 20 0:1 / ${root} rw - cgroup2 cgroup2 rw`], "0::/user.slice/session.scope\n");
    const at = join(root, "user.slice", name);
    expect(findControlGroups(name, from)).toEqual({ version: 2, memory: at, cpu: at, pids: at });
    expect(readFileSync(join(at, "cgroup.subtree_control"), "utf8")).toMatch(/^\+/);
  });

  test("none: no hierarchy is mounted, or nothing may be made in it", () => {
    expect(findControlGroups("travelops-x-1", proc([], "0::/\n"))).toBeUndefined();
    expect(findControlGroups("travelops-x-1", join(root, "nowhere"))).toBeUndefined();
  });

  test("what a killed cluster has left goes; another's stays", () => {
    for (const [id, pid] of [
      ["gone", 1],
      ["runs", 2],
      ["ours", 3],
    ] as const)
      mkdirSync(join(root, groupName(id, pid), "pod", "container"), { recursive: true });
    mkdirSync(join(root, "somebody-else-9"));
    removeStaleGroups({ version: 2, memory: join(root, groupName("ours", 3)) }, (pid) => pid !== 1);
    expect(existsSync(join(root, groupName("gone", 1)))).toBe(false);
    expect(existsSync(join(root, groupName("runs", 2), "pod", "container"))).toBe(true);
    expect(existsSync(join(root, groupName("ours", 3)))).toBe(true);
    expect(existsSync(join(root, "somebody-else-9"))).toBe(true);
  });
});
