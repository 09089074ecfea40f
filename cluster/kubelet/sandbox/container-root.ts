/** Writes a planned root to disk: directories, links, files, and the table by which it is mounted in one call. */
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeInside } from "../volumes/inside.ts";
import type { MountTable } from "./host-tree.ts";
import { writePrograms } from "./id-ranges.ts";
import type { RootPlan } from "./root-plan.ts";

export interface FstabLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

const escape = (text: string): string =>
  text.replace(/[\\\s#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);

export function writeFstab(file: string, lines: readonly FstabLine[]): void {
  writeFileSync(
    file,
    lines
      .map((line) => `${escape(line.source)} ${escape(line.target)} ${line.type} ${line.options.join(",")} 0 0\n`)
      .join(""),
  );
}

/** Parts of /proc that change the machine, read-only or empty in every container. */
const PROC_READ_ONLY = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
const PROC_HIDDEN_FILES = ["kcore", "keys", "latency_stats", "timer_list", "sched_debug"];

export interface RootOnDisk {
  readonly directory: string;
  readonly plan: RootPlan;
  readonly mountTable: MountTable;
  readonly masked: readonly string[];
  /** By directory. */
  readonly programs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Host paths inside the sandbox. */
  readonly devices: string;
  readonly sharedMemory: string;
  readonly empty: string;
}

export function writeRoot(input: RootOnDisk): { root: string; fstab: string } {
  const { directory, plan, mountTable } = input;
  const root = join(directory, "root");
  const fstab = join(directory, "fstab");
  mkdirSync(root, { recursive: true, mode: 0o755 });
  for (const { path, mode } of plan.directories) {
    mkdirSync(join(root, path), { recursive: true, mode: 0o755 });
    if (mode !== 0o755) chmodSync(join(root, path), mode);
  }
  for (const { path, target } of plan.links) symlinkSync(target, join(root, path));
  for (const { path, content } of plan.files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode: 0o644 });
  }
  for (const [path, programs] of Object.entries(input.programs)) writePrograms(join(root, path), programs);
  for (const point of plan.inVolumes) makeInVolume(point);
  const lines: FstabLine[] = [{ source: root, target: root, type: "none", options: ["bind"] }];
  const remounts: string[] = [];
  const bind = (source: string, target: string, readOnly: boolean, recursive: boolean): void => {
    lines.push({
      source,
      target: join(root, target),
      type: "none",
      options: [recursive ? "rbind" : "bind", ...(readOnly ? ["ro", ...mountTable.flagsOf(source)] : [])],
    });
    if (!readOnly || !recursive) return;
    for (const below of mountTable.below(source))
      remounts.push(
        `${join(root, target, below.slice(source.length))} ${["ro", ...mountTable.flagsOf(below)].join(",")}`,
      );
  };
  lines.push(
    ...(plan.ownDevices.length === 0
      ? [{ source: input.devices, target: join(root, "/dev"), type: "none", options: ["rbind", "ro"] }]
      : plan.ownDevices.map((name) => ({
          source: join(input.devices, name),
          target: join(root, "/dev", name),
          type: "none",
          options: ["bind"],
        }))),
    {
      source: "devpts",
      target: join(root, "/dev/pts"),
      type: "devpts",
      options: ["newinstance", "ptmxmode=0666", "mode=0620"],
    },
    { source: input.sharedMemory, target: join(root, "/dev/shm"), type: "none", options: ["bind"] },
    { source: "proc", target: join(root, "/proc"), type: "proc", options: ["nosuid", "nodev", "noexec"] },
    { source: "sysfs", target: join(root, "/sys"), type: "sysfs", options: ["ro", "nosuid", "nodev", "noexec"] },
  );
  for (const name of PROC_READ_ONLY)
    if (existsSync(`/proc/${name}`))
      lines.push({
        source: join(root, "/proc", name),
        target: join(root, "/proc", name),
        type: "none",
        options: ["bind", "ro", "nosuid", "nodev", "noexec"],
      });
  for (const name of PROC_HIDDEN_FILES)
    if (existsSync(`/proc/${name}`))
      lines.push({ source: "/dev/null", target: join(root, "/proc", name), type: "none", options: ["bind"] });
  for (const mount of plan.mounts) bind(mount.source, mount.target, mount.readOnly, mount.recursive === true);
  for (const path of input.masked)
    for (const mount of plan.mounts)
      if (
        mount.recursive === true &&
        (path === mount.source || path.startsWith(`${mount.source}/`)) &&
        existsSync(path)
      )
        bind(input.empty, join(mount.target, path.slice(mount.source.length)), true, false);
  writeFstab(fstab, lines);
  writeFileSync(`${fstab}.remount`, remounts.map((line) => `${line}\n`).join(""));
  return { root, fstab };
}

function makeInVolume({ volume, path, file }: { volume: string; path: string; file: boolean }): void {
  const parent = makeInside(volume, file ? dirname(path) : path, 0o755);
  const point = join(parent, basename(path));
  if (file && !existsSync(point)) writeFileSync(point, "");
}
