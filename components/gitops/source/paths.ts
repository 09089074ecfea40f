/** Paths that Git content names: none may leave the repository's tree, through `..` or a symlink. */
import { readdir, realpath } from "node:fs/promises";
import path from "node:path";
import { SourceError } from "./source-error.ts";

const isInside = (root: string, file: string): boolean => file === root || file.startsWith(`${root}${path.sep}`);

/** Absolute path of `relative` under `root`; a leading slash means the repository's root. */
export async function resolveInside(root: string, base: string, relative: string, what: string): Promise<string> {
  const joined = relative.startsWith("/") ? path.join(root, relative) : path.resolve(base, relative);
  if (!isInside(root, joined)) throw new SourceError(`${what}: "${relative}" leaves the repository`);
  const real = await realpath(joined).catch(() => undefined);
  if (real === undefined)
    throw new SourceError(`${what}: "${relative}" does not exist in the repository`, { missing: true });
  if (!isInside(await realpath(root), real))
    throw new SourceError(`${what}: "${relative}" is a link that leaves the repository`);
  return joined;
}

/** Argo CD refuses a tree with links that lead out of it; tools would follow them. */
export async function refuseOutwardLinks(root: string, directory: string): Promise<void> {
  const realRoot = await realpath(root);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) await refuseOutwardLinks(root, file);
    else if (entry.isSymbolicLink()) {
      const target = await realpath(file).catch(() => undefined);
      if (target === undefined || !isInside(realRoot, target))
        throw new SourceError(`the link ${path.relative(root, file)} leads out of the repository`);
    }
  }
}
