import { describe, expect, it } from "vitest";
import type { HostTree } from "./host-tree.ts";
import { planRoot } from "./root-plan.ts";
import type { Mount } from "./sandbox.ts";

const DIRECTORIES = new Set(["/usr", "/tmp/checkout/node_modules", "/srv/app"]);
const host: HostTree = {
  kind: (path) => (DIRECTORIES.has(path) ? "dir" : undefined),
  readLink: () => "",
  list: () => [],
  isPlain: () => true,
} as HostTree;

const emptyDir = (target: string): Mount => ({
  source: "/data/volume",
  target,
  type: "bind",
  readOnly: false,
  file: false,
});

const plan = (view: string[], mounts: Mount[]) =>
  planRoot({ host, etcView: "/data/etc", view, mounts, files: {}, workingDir: view[0] ?? "/" });

describe("the root of a container", () => {
  it("shows the program through a volume that is mounted over its folder", () => {
    const { mounts, inVolumes } = plan(["/tmp/checkout/node_modules"], [emptyDir("/tmp")]);
    const targets = mounts.map((mount) => mount.target);
    expect(targets.indexOf("/tmp")).toBeLessThan(targets.indexOf("/tmp/checkout/node_modules"));
    expect(mounts.find((mount) => mount.target === "/tmp/checkout/node_modules")).toMatchObject({
      source: "/tmp/checkout/node_modules",
      readOnly: true,
    });
    expect(inVolumes).toContainEqual({
      volume: "/data/volume",
      path: "/data/volume/checkout/node_modules",
      file: false,
    });
  });

  it("leaves volumes elsewhere alone", () => {
    expect(plan(["/srv/app"], [emptyDir("/tmp")]).inVolumes).toEqual([]);
  });

  it.each(["/", "/proc/x", "/sys"])("refuses a volume at %s", (target) => {
    expect(() => plan([], [emptyDir(target)])).toThrow(/cannot be mounted/);
  });
});
