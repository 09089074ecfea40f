/** The host's file system as far as the plan of a container's root needs it; kept for the life of a sandbox. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

export type EntryKind = "dir" | "file" | "link";

export interface HostTree {
  kind(path: string): EntryKind | undefined;
  list(path: string): readonly string[];
  readLink(path: string): string;
  /** True when no part of `path` is a symbolic link. */
  isPlain(path: string): boolean;
}

/** Reads the real file system; answers about `/` and `/etc` are asked often and remembered. */
export function realHostTree(): HostTree {
  const kinds = new Map<string, EntryKind | undefined>();
  return {
    kind(path) {
      if (kinds.has(path)) return kinds.get(path);
      const kind = kindOf(path);
      if (kinds.size < 10_000) kinds.set(path, kind);
      return kind;
    },
    list(path) {
      try {
        return readdirSync(path);
      } catch {
        return [];
      }
    },
    readLink: (path) => readlinkSync(path),
    isPlain(path) {
      try {
        return realpathSync(path) === path;
      } catch {
        return false;
      }
    },
  };
}

function kindOf(path: string): EntryKind | undefined {
  try {
    const stat = lstatSync(path);
    return stat.isSymbolicLink() ? "link" : stat.isDirectory() ? "dir" : "file";
  } catch {
    return undefined;
  }
}

/** Mount flags that a read-only remount inside a user namespace has to repeat, or the kernel refuses it. */
const KEPT_FLAGS = new Set(["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"]);

export interface MountTable {
  /** The kept flags of the mount that holds `path`. */
  flagsOf(path: string): readonly string[];
  /** Mount points strictly below `path`. */
  below(path: string): readonly string[];
}

/** Parses /proc/self/mountinfo (proc_pid_mountinfo(5)). */
function parseMountInfo(text: string): MountTable {
  const mounts = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const fields = line.split(" ");
      return {
        point: (fields[4] ?? "/").replace(/\\(\d{3})/g, (_, octal: string) =>
          String.fromCharCode(Number.parseInt(octal, 8)),
        ),
        flags: (fields[5] ?? "").split(",").filter((flag) => KEPT_FLAGS.has(flag)),
      };
    });
  const holds = (point: string, path: string): boolean =>
    point === "/" || path === point || path.startsWith(`${point}/`);
  return {
    flagsOf(path) {
      let best: { point: string; flags: readonly string[] } = { point: "", flags: [] };
      for (const mount of mounts) if (holds(mount.point, path) && mount.point.length >= best.point.length) best = mount;
      return best.flags;
    },
    below: (path) => mounts.map((mount) => mount.point).filter((point) => point !== path && holds(path, point)),
  };
}

export function readMountTable(): MountTable {
  try {
    return parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    return parseMountInfo("");
  }
}
