/** How much of the disk is behind a directory. */
import { lstat, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";

const BLOCK = 512;

/** Bytes on disk, links not followed; what goes away meanwhile counts as nothing. */
export async function diskUsage(path: string): Promise<number> {
  try {
    const stat = await lstat(path);
    let used = stat.blocks * BLOCK;
    if (!stat.isDirectory()) return used;
    for (const name of await readdir(path)) used += await diskUsage(join(path, name));
    return used;
  } catch {
    return 0;
  }
}

export interface DiskSpace {
  readonly available: number;
  readonly capacity: number;
}

export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { available: bavail * bsize, capacity: blocks * bsize };
}
