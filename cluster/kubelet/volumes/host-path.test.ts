import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveHostPath } from "./host-path.ts";

let scratch: string;
let nodeRoot: string;
let outside: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "host-path-"));
  nodeRoot = join(scratch, "node");
  outside = join(scratch, "outside");
  mkdirSync(nodeRoot);
  mkdirSync(outside);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const resolve = (path: string, type?: string) => resolveHostPath({ nodeRoot, real: [] }, path, type);

describe("a hostPath", () => {
  it("lies in the node's own file system, and is made where its type says so", () => {
    expect(resolve("/data/a")).toEqual({ path: join(nodeRoot, "data/a"), file: false });
    expect(resolve("/data/b/file", "FileOrCreate")).toEqual({ path: join(nodeRoot, "data/b/file"), file: true });
    expect(resolve("/../../etc", "DirectoryOrCreate").path).toBe(join(nodeRoot, "etc"));
    expect(() => resolve("/absent", "Directory")).toThrow("hostPath type check failed: /absent is not a directory");
  });

  it.each(["", "DirectoryOrCreate", "FileOrCreate"])("makes nothing behind a link that leads out (type %j)", (type) => {
    symlinkSync(outside, join(nodeRoot, "link"));
    expect(() => resolve("/link/planted", type)).toThrow("leads out of the node's file system");
    expect(existsSync(join(outside, "planted"))).toBe(false);
  });

  it.each(["", "DirectoryOrCreate", "FileOrCreate"])("makes nothing through a link to nothing (type %j)", (type) => {
    symlinkSync(join(outside, "planted"), join(nodeRoot, "link"));
    expect(() => resolve("/link", type)).toThrow("leads out of the node's file system");
    expect(existsSync(join(outside, "planted"))).toBe(false);
  });

  it("is itself only where the cluster was told so", () => {
    const real = join(scratch, "volumes");
    expect(resolveHostPath({ nodeRoot, real: [real] }, join(real, "pvc-1")).path).toBe(join(real, "pvc-1"));
    expect(resolve(join(real, "pvc-1")).path).toBe(join(nodeRoot, real, "pvc-1"));
  });
});
