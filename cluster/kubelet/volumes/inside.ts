/** Paths inside a volume, whose content a pod controls: a link planted there must not lead out of it. */
import { existsSync, lstatSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

export class LeadsOutError extends Error {
  override readonly name = "LeadsOutError";
}

/** Whether `path` is `directory` or below it, by its text alone. */
export const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** The real path of something that exists inside `base`. */
export function realInside(base: string, path: string): string {
  const real = realOf(path);
  if (real === undefined || !isWithin(realpathSync(base), real))
    throw new LeadsOutError(`${path.slice(base.length)} leads out of its volume by a symbolic link`);
  return real;
}

/** Undefined where a link leads to nothing: what is made through it would be made there. */
function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && isThere(path)) return undefined;
    throw error;
  }
}

/** Makes a directory inside `base`; what exists on the way is looked at before anything is made below it. */
export function makeInside(base: string, path: string, mode: number): string {
  let existing = path;
  while (!isThere(existing) && existing !== base && existing !== dirname(existing)) existing = dirname(existing);
  const real = realInside(base, existing);
  const made = join(real, path.slice(existing.length));
  if (!existsSync(made)) mkdirSync(made, { recursive: true, mode });
  return realInside(base, path);
}

/** Also true for a link that leads nowhere. */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
