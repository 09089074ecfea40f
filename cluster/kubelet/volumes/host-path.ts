/**
 * hostPath volumes show the *node's* file system, and a node here is no machine: each has a directory of its own that
 * stands for its root. The user's own files are never mounted, but for places that were named when the cluster started.
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { isThere, isWithin, LeadsOutError, makeInside, realInside } from "./inside.ts";
import { VolumeError } from "./payload.ts";

export interface HostPathRule {
  /** The node's pretended root. */
  readonly nodeRoot: string;
  /** Real directories that may be mounted as they are (storage of persistent volumes). */
  readonly real: readonly string[];
}

/** The place behind a hostPath, made where its type asks for it. */
export function resolveHostPath(rule: HostPathRule, path: string, type = ""): { path: string; file: boolean } {
  const clean = normalize(path);
  if (!clean.startsWith("/")) throw new VolumeError(`hostPath ${path} is not an absolute path`);
  const real = rule.real.find((directory) => isWithin(directory, clean));
  const root = real ?? rule.nodeRoot;
  const place = real === undefined ? join(rule.nodeRoot, clean) : clean;
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    makeFor(type, root, place);
    checkKind(type, place, path);
    return { path: realInside(root, place), file: kindOf(place) === "file" };
  } catch (error) {
    if (!(error instanceof LeadsOutError)) throw error;
    throw new VolumeError(`hostPath ${path} leads out of the node's file system by a symbolic link`);
  }
}

function makeFor(type: string, root: string, place: string): void {
  if (kindOf(place) !== undefined) return;
  // A link to nothing is refused here: what is made through it would be made elsewhere.
  if (isThere(place)) realInside(root, place);
  if (type === "" || type === "DirectoryOrCreate") makeInside(root, place, 0o755);
  if (type === "FileOrCreate")
    writeFileSync(join(makeInside(root, dirname(place), 0o755), basename(place)), "", { mode: 0o644, flag: "wx" });
}

function checkKind(type: string, place: string, path: string): void {
  const refuse = (what: string): never => {
    throw new VolumeError(`hostPath type check failed: ${path} is not a ${what}`);
  };
  const kind = kindOf(place);
  if (type.startsWith("Directory") && kind !== "dir") refuse("directory");
  if (type.startsWith("File") && kind !== "file") refuse("file");
  if (type === "Socket") refuse("socket file");
  if (type === "CharDevice") refuse("character device");
  if (type === "BlockDevice") refuse("block device");
}

function kindOf(path: string): "dir" | "file" | undefined {
  try {
    return statSync(path).isDirectory() ? "dir" : "file";
  } catch {
    return undefined;
  }
}
