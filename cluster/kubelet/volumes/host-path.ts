/**
 * hostPath volumes show the *node's* file system, and a node here is no machine: each has a directory of its own that
 * stands for its root. The user's own files are never mounted, but for places that were named when the cluster started.
 */
import { existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { VolumeError } from "./payload.ts";

export interface HostPathRule {
  /** The node's pretended root. */
  readonly nodeRoot: string;
  /** Real directories that may be mounted as they are (storage of persistent volumes). */
  readonly real: readonly string[];
}

const within = (directory: string, path: string): boolean => path === directory || path.startsWith(`${directory}/`);

/** The place behind a hostPath, made where its type asks for it. */
export function resolveHostPath(rule: HostPathRule, path: string, type = ""): { path: string; file: boolean } {
  const clean = normalize(path);
  if (!clean.startsWith("/")) throw new VolumeError(`hostPath ${path} is not an absolute path`);
  const isReal = rule.real.some((directory) => within(directory, clean));
  const root = isReal ? (rule.real.find((directory) => within(directory, clean)) ?? "/") : rule.nodeRoot;
  const place = isReal ? clean : join(rule.nodeRoot, clean);
  if (type === "DirectoryOrCreate" || (type === "" && !existsSync(place)))
    mkdirSync(place, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate" && !existsSync(place)) {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, "", { mode: 0o644 });
  }
  const kind = kindOf(place);
  const refuse = (what: string): never => {
    throw new VolumeError(`hostPath type check failed: ${path} is not a ${what}`);
  };
  if (type.startsWith("Directory") && kind !== "dir") refuse("directory");
  if (type.startsWith("File") && kind !== "file") refuse("file");
  if (type === "Socket" || type === "CharDevice" || type === "BlockDevice")
    refuse(type === "Socket" ? "socket file" : type === "CharDevice" ? "character device" : "block device");
  if (!within(realpathSync(root), realpathSync(place)))
    throw new VolumeError(`hostPath ${path} leads out of the node's file system by a symbolic link`);
  return { path: realpathSync(place), file: kind === "file" };
}

function kindOf(path: string): "dir" | "file" | undefined {
  try {
    return statSync(path).isDirectory() ? "dir" : "file";
  } catch {
    return undefined;
  }
}
