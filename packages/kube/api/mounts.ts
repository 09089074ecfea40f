/**
 * Where a volume that is mounted at `path` really is. In a pod that is `path` itself; in the bare sandbox, which cannot
 * mount, volumes stand below the directory that TRAVELOPS_MOUNTS names.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

export function mountedAt(path: string, env: Readonly<Record<string, string | undefined>> = process.env): string {
  const root = env["TRAVELOPS_MOUNTS"];
  if (root === undefined || root === "") return path;
  const below = join(root, path);
  return holdsMount(root, path) ? below : path;
}

/** A path below a mount need not exist itself. */
function holdsMount(root: string, path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.length > 0 && existsSync(join(root, parts[0] ?? ""));
}
