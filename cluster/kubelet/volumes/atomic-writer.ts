/**
 * Files of a projected volume, changed all at once: they live in a dated directory, `..data` links to it, and
 * what a program opens links through `..data`. A change makes a new directory and moves the link.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, normalize } from "node:path";
import { giveToGroup, groupMode } from "./ownership.ts";

export interface ProjectedFile {
  readonly content: Uint8Array;
  readonly mode: number;
  /** Whose it is, as containers count users; root's where absent. */
  readonly user?: number;
}

/** Whose the files of a volume become, where containers have users and groups of their own. */
export interface PayloadOwner {
  readonly hostId: (id: number) => number;
  /** As containers count groups. */
  readonly group: number | undefined;
}

export type Payload = ReadonlyMap<string, ProjectedFile>;

export class PayloadPathError extends Error {
  override readonly name = "PayloadPathError";
}

const DATA = "..data";

/** Makes `directory` show `payload`; returns whether anything changed. */
export function writeAtomically(directory: string, asked: Payload, now: number, owner?: PayloadOwner): boolean {
  for (const path of asked.keys()) checkPath(path);
  const payload = owner?.group === undefined ? asked : readableByGroup(asked);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const current = currentTarget(directory);
  if (current !== undefined && isSame(join(directory, current), payload)) return false;
  const dated = datedName(directory, now);
  const target = join(directory, dated);
  mkdirSync(target, { mode: 0o755 });
  for (const [path, file] of payload) {
    const full = join(target, path);
    mkdirSync(dirname(full), { recursive: true, mode: 0o755 });
    writeFileSync(full, file.content, { mode: file.mode });
    // The process's umask must not take bits away.
    chmodSync(full, file.mode);
    if (owner !== undefined && file.user !== undefined) chownSync(full, owner.hostId(file.user), 0);
  }
  const group = owner?.group === undefined ? undefined : owner.hostId(owner.group);
  if (group !== undefined) giveToGroup(target, { group, readOnly: true });
  rmSync(join(directory, `${DATA}_tmp`), { force: true });
  symlinkSync(dated, join(directory, `${DATA}_tmp`));
  renameSync(join(directory, `${DATA}_tmp`), join(directory, DATA));
  linkTopEntries(directory, payload);
  if (current !== undefined) rmSync(join(directory, current), { recursive: true, force: true });
  if (group !== undefined) giveToGroup(directory, { group, readOnly: true });
  return true;
}

const readableByGroup = (payload: Payload): Payload =>
  new Map([...payload].map(([path, file]) => [path, { ...file, mode: file.mode | groupMode(true) }]));

function checkPath(path: string): void {
  const clean = normalize(path);
  if (path === "" || path.startsWith("/") || clean.startsWith("..") || path.split("/").includes(".."))
    throw new PayloadPathError(`invalid path ${JSON.stringify(path)}: it must be relative and stay inside the volume`);
}

function currentTarget(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, DATA));
  } catch {
    return undefined;
  }
}

function isSame(directory: string, payload: Payload): boolean {
  const found = filesBelow(directory);
  if (found.length !== payload.size) return false;
  return found.every((path) => {
    const file = payload.get(path);
    if (file === undefined) return false;
    const full = join(directory, path);
    return (lstatSync(full).mode & 0o777) === (file.mode & 0o777) && readFileSync(full).equals(file.content);
  });
}

function filesBelow(directory: string, prefix = ""): string[] {
  try {
    return readdirSync(join(directory, prefix), { withFileTypes: true }).flatMap((entry) => {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(directory, path) : [path];
    });
  } catch {
    return [];
  }
}

function datedName(directory: string, now: number): string {
  const stamp = new Date(now).toISOString().slice(0, 19).replace(/[-:T]/g, "_");
  for (let i = 0; ; i++) {
    const name = `..${stamp}.${String(now % 1000).padStart(3, "0")}${String(i).padStart(6, "0")}`;
    try {
      lstatSync(join(directory, name));
    } catch {
      return name;
    }
  }
}

function linkTopEntries(directory: string, payload: Payload): void {
  const wanted = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? ""));
  const present = new Set(readdirSync(directory).filter((name) => !name.startsWith("..")));
  for (const name of present) if (!wanted.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  for (const name of wanted) if (!present.has(name)) symlinkSync(join(DATA, name), join(directory, name));
}
