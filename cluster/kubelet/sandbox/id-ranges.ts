/**
 * Users and groups of containers, where the cluster runs as root: podhost and every container have all of them, 0 being
 * the machine's root and the others far above any user of the machine. `unshare` has other programs write such maps; ours
 * are found first on its PATH.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FIRST = 2 ** 31 + 1;
const COUNT = 2 ** 31 - 2;

/** Whose number a container's user or group has outside. */
export const hostId = (id: number): number => (id === 0 ? 0 : FIRST + id - 1);

/** What is asked of `unshare`; what is written stands in `idMappers`. */
export const RANGE_OPTIONS: readonly string[] = [`--map-users=0,0,${COUNT + 1}`, `--map-groups=0,0,${COUNT + 1}`];

/** Where a container finds its own. */
export const IN_RANGE = "/.travelops/ids";

/** Programs by name: of podhost's own user namespace, or (`inner`) of a container's in it. */
export function idMappers(sh: string, where: "outer" | "inner"): Record<string, string> {
  const map = `0 0 1\\n1 ${where === "outer" ? FIRST : 1} ${COUNT}\\n`;
  const program = (file: string): string => `#!${sh}\nprintf '${map}' >"/proc/$1/${file}"\n`;
  return { newuidmap: program("uid_map"), newgidmap: program("gid_map") };
}

/** Writes programs; returns their directory. */
export function writePrograms(directory: string, programs: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), 0o755);
  }
  return directory;
}

/** Root, and not of a namespace that lacks the numbers. */
export function mayMapRanges(): boolean {
  if (process.getuid?.() !== 0) return false;
  const whole = /^\s*0\s+0\s+4294967295\s*$/;
  return ["uid_map", "gid_map"].every((file) => whole.test(readFileSync(`/proc/self/${file}`, "utf8")));
}

/** The process's own PATH, after `first`. */
export const pathWith = (first: string | undefined): string =>
  [...(first === undefined ? [] : [first]), process.env["PATH"] ?? ""].join(":");
