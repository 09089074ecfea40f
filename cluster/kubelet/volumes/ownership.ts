/** fsGroup: a volume's files are given to a group, with upstream's modes. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  openSync,
  readdirSync,
  statSync,
  type Stats,
} from "node:fs";

const READ = 0o440;
const READ_WRITE = 0o660;
const ENTER = 0o110;
const SET_GROUP = 0o2000;

export interface VolumeGroup {
  /** As the machine knows it. */
  readonly group: number;
  readonly readOnly: boolean;
}

/** What the group may do with a file. */
export const groupMode = (readOnly: boolean): number => (readOnly ? READ : READ_WRITE);
const directoryMode = (readOnly: boolean): number => groupMode(readOnly) | ENTER | SET_GROUP;

/** Gives everything at and below `path` to the group; `onMismatch`: only where `path` itself is not its own yet. */
export function giveToGroup(path: string, to: VolumeGroup, onMismatch = false): void {
  if (onMismatch && isGiven(statSync(path), to)) return;
  give(path, to);
}

function isGiven(found: Stats, { group, readOnly }: VolumeGroup): boolean {
  const wanted = directoryMode(readOnly);
  return found.isDirectory() && found.gid === group && (found.mode & wanted) === wanted;
}

/** Through descriptors: a pod that shares the volume may put links in the way meanwhile, and they are not followed. */
function give(path: string, to: VolumeGroup): void {
  const known = lstatSync(path, { throwIfNoEntry: false });
  if (known === undefined) return;
  if (!known.isFile() && !known.isDirectory()) {
    lchownSync(path, known.uid, to.group);
    return;
  }
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Gone, or another thing by now.
    return;
  }
  try {
    const found = fstatSync(fd);
    if (found.isDirectory()) for (const name of readdirSync(here(fd))) give(`${here(fd)}/${name}`, to);
    fchownSync(fd, found.uid, to.group);
    fchmodSync(fd, (found.mode & 0o7777) | (found.isDirectory() ? directoryMode(to.readOnly) : groupMode(to.readOnly)));
  } finally {
    closeSync(fd);
  }
}

const here = (fd: number): string => `/proc/self/fd/${fd}`;
