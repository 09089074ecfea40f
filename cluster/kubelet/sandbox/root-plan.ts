/**
 * What a container sees as `/`: a directory of its own with the host's programs mounted read-only into it. Nothing of
 * the host is there unless it is named here; home directories, the cluster's data and other pods' volumes are not.
 *
 * A mount point that does not exist in a read-only part (`/usr/share/nginx/html`) makes its parents real directories,
 * whose other entries become links into a second, hidden view of that part under `/.travelops`.
 */
import { dirname, posix } from "node:path";
import type { HostTree } from "./host-tree.ts";
import type { Mount } from "./sandbox.ts";

/** Programs and libraries, where they exist. */
const SHOWN = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/gnu"];

/** What programs need of /etc and holds no secret. */
export const SHOWN_ETC = [
  "alternatives",
  "bash.bashrc",
  "ca-certificates",
  "ca-certificates.conf",
  "crypto-policies",
  "debian_version",
  "fonts",
  "inputrc",
  "java",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "login.defs",
  "magic",
  "mime.types",
  "nsswitch.conf",
  "os-release",
  "pki",
  "profile",
  "profile.d",
  "protocols",
  "python3",
  "redhat-release",
  "rpc",
  "services",
  "shells",
  "skel",
  "ssl",
  "terminfo",
  "timezone",
  "vimrc",
];

const EMPTY = [
  "/boot",
  "/home",
  "/media",
  "/mnt",
  "/run",
  "/run/lock",
  "/srv",
  "/var/cache",
  "/var/lib",
  "/var/log",
  "/var/spool",
];
const WRITABLE_BY_ALL = ["/tmp", "/var/tmp"];
/** Mount points that the shared /dev offers. */
const DEVICE_POINTS = new Map<string, "dir" | "file">([
  ["/dev/shm", "dir"],
  ["/dev/mqueue", "dir"],
  ["/dev/pts", "dir"],
  ["/dev/termination-log", "file"],
]);
/** What stands in /dev besides them. */
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS = [
  ["fd", "/proc/self/fd"],
  ["ptmx", "pts/ptmx"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
] as const;
/** Where the hidden views stand. */
const HIDDEN = "/.travelops";

type Node =
  | { readonly kind: "dir"; readonly children: Map<string, Node> }
  | { readonly kind: "link"; readonly target: string; readonly expands?: { host: string; hidden: string } }
  | { readonly kind: "file"; readonly content: string }
  | { readonly kind: "view"; readonly host: string; readonly file: boolean }
  | { readonly kind: "mount"; readonly mount: Mount };

export interface RootPlan {
  /** Inside the root, parents first. */
  readonly directories: ReadonlyArray<{ path: string; mode: number }>;
  readonly links: ReadonlyArray<{ path: string; target: string }>;
  readonly files: ReadonlyArray<{ path: string; content: string }>;
  /** Something is mounted below /dev that the shared one has no place for: these devices are bound one by one. */
  readonly ownDevices: readonly string[];
  /** Mount points to be made inside volumes (host paths). */
  readonly inVolumes: ReadonlyArray<{ volume: string; path: string; file: boolean }>;
  /** In the order of mounting; `target` is inside the root. */
  readonly mounts: readonly Mount[];
}

export interface RootPlanInput {
  readonly host: HostTree;
  /** The filtered /etc, as a directory of the host. */
  readonly etcView: string;
  readonly view: readonly string[];
  readonly mounts: readonly Mount[];
  readonly files: Readonly<Record<string, string>>;
  readonly workingDir: string;
}

export class RootPlanError extends Error {
  override readonly name = "RootPlanError";
}

/** Pure: what has to be made and mounted for one container. */
export function planRoot(input: RootPlanInput): RootPlan {
  return new Planner(input).plan();
}

class Planner {
  readonly #input: RootPlanInput;
  readonly #root: Node & { kind: "dir" } = { kind: "dir", children: new Map() };
  readonly #hidden = new Map<string, string>();
  readonly #extra: Mount[] = [];
  readonly #inVolumes: { volume: string; path: string; file: boolean }[] = [];
  readonly #ownDevices: boolean;

  constructor(input: RootPlanInput) {
    this.#input = input;
    this.#ownDevices = input.mounts.some(({ target }) => target.startsWith("/dev/") && !DEVICE_POINTS.has(target));
  }

  plan(): RootPlan {
    this.#addHost();
    for (const path of [...this.#input.view].sort()) this.#addView(path);
    for (const [path, content] of Object.entries(this.#input.files)) this.#place(path, { kind: "file", content });
    for (const mount of byDepth(this.#input.mounts)) this.#addMount(mount);
    for (const path of [...this.#input.view].sort()) this.#uncover(path);
    this.#ensureDirectory(this.#input.workingDir);
    return this.#emit();
  }

  #addHost(): void {
    const { host, etcView } = this.#input;
    for (const path of SHOWN) {
      const kind = host.kind(path);
      if (kind === "link") this.#place(path, { kind: "link", target: host.readLink(path) });
      else if (kind === "dir") this.#place(path, { kind: "view", host: path, file: false });
    }
    for (const path of [...EMPTY, ...WRITABLE_BY_ALL, "/proc", "/sys", "/dev", "/root", "/etc", `${HIDDEN}/old`])
      this.#ensureDirectory(path);
    this.#place("/var/run", { kind: "link", target: "/run" });
    for (const name of SHOWN_ETC) {
      const kind = host.kind(`/etc/${name}`);
      if (kind === "link") this.#place(`/etc/${name}`, { kind: "link", target: host.readLink(`/etc/${name}`) });
      else if (kind !== undefined) {
        const hidden = `${HIDDEN}/etc/${name}`;
        this.#place(`/etc/${name}`, { kind: "link", target: hidden, expands: { host: `/etc/${name}`, hidden } });
      }
    }
    this.#hidden.set(etcView, `${HIDDEN}/etc`);
    if (this.#ownDevices) this.#addDevices();
  }

  #addDevices(): void {
    for (const name of [...DEVICES, "console"]) this.#place(`/dev/${name}`, { kind: "file", content: "" });
    for (const [name, target] of DEVICE_LINKS) this.#place(`/dev/${name}`, { kind: "link", target });
    for (const [path, kind] of DEVICE_POINTS)
      this.#place(path, kind === "file" ? { kind: "file", content: "" } : undefined);
  }

  #addView(path: string): void {
    const found = this.#find(path);
    const kind = this.#input.host.kind(path);
    if (found?.kind === "view" || kind === undefined) return;
    this.#place(path, { kind: "view", host: path, file: kind === "file" });
  }

  /** A volume over a folder that holds the program (an emptyDir at /tmp, a checkout below it): the program shows through. */
  #uncover(path: string): void {
    const over = this.#find(path);
    const kind = this.#input.host.kind(path);
    if (over?.kind !== "mount" || over.mount.file || kind === undefined) return;
    const file = kind === "file";
    this.#place(path, {
      kind: "mount",
      mount: { source: path, target: path, type: "bind", readOnly: true, recursive: true, file },
    });
  }

  #addMount(mount: Mount): void {
    if (mount.target === "/") throw new RootPlanError(`a volume cannot be mounted at /`);
    if (/^\/(proc|sys)(\/|$)/.test(mount.target))
      throw new RootPlanError(`a volume cannot be mounted at ${mount.target}`);
    const device = DEVICE_POINTS.get(mount.target);
    if (device !== undefined && (device === "file") === mount.file) {
      this.#extra.push(mount);
      return;
    }
    this.#place(mount.target, { kind: "mount", mount });
  }

  /** The node at `path`, or the view or mount that holds it. */
  #find(path: string): Node | undefined {
    let node: Node = this.#root;
    for (const part of parts(path)) {
      if (node.kind === "view" || node.kind === "mount") return node;
      if (node.kind !== "dir") return undefined;
      const child = node.children.get(part);
      if (child === undefined) return undefined;
      node = child;
    }
    return node;
  }

  #ensureDirectory(path: string): void {
    this.#place(path, undefined);
  }

  /** Puts `node` at `path`, making what is missing above it; `undefined` asks for a directory only. */
  #place(path: string, node: Node | undefined, depth = 0): void {
    if (depth > 40) throw new RootPlanError(`too many symbolic links at ${path}`);
    const names = parts(path);
    let dir: Node & { kind: "dir" } = this.#root;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] ?? "";
      const last = i === names.length - 1;
      const here = `/${names.slice(0, i + 1).join("/")}`;
      const child = dir.children.get(name);
      if (child === undefined) {
        if (last && node !== undefined) {
          dir.children.set(name, node);
          return;
        }
        const made: Node & { kind: "dir" } = { kind: "dir", children: new Map() };
        dir.children.set(name, made);
        dir = made;
        continue;
      }
      if (last && node !== undefined && this.#replaces(child, node)) {
        dir.children.set(name, node);
        return;
      }
      const rest = `/${names.slice(i + 1).join("/")}`;
      switch (child.kind) {
        case "dir":
          dir = child;
          continue;
        case "link":
          if (child.expands === undefined || this.#input.host.kind(child.expands.host) !== "dir") {
            if (last && node === undefined) return;
            this.#place(posix.join(posix.resolve(dirname(here), child.target), last ? "" : rest), node, depth + 1);
            return;
          }
          if (last && node === undefined) return;
          dir = this.#expand(dir, name, child.expands);
          continue;
        case "view":
          if (this.#inView(child.host, last ? "" : rest, path, node)) return;
          dir = this.#expand(dir, name, { host: child.host, hidden: this.#hide(child.host) });
          continue;
        case "mount":
          this.#inMount(child.mount, rest, path, last ? undefined : node);
          return;
        case "file":
          throw new RootPlanError(`${path}: ${here} is a file`);
      }
    }
  }

  #replaces(child: Node, node: Node): boolean {
    if (node.kind === "mount") return child.kind !== "view" || node.mount.file === child.file;
    return child.kind === "link" || child.kind === "file" || (child.kind === "dir" && child.children.size === 0);
  }

  /** A place inside a read-only view that exists on the host needs nothing but the mount itself. */
  #inView(host: string, rest: string, target: string, node: Node | undefined): boolean {
    const path = posix.join(host, rest);
    const kind = this.#input.host.kind(path);
    if (node === undefined) return kind !== undefined;
    if (node.kind === "view") return kind !== undefined;
    if (node.kind !== "mount" || kind === undefined || !this.#input.host.isPlain(path)) return false;
    if ((kind === "file") !== node.mount.file) return false;
    this.#extra.push({ ...node.mount, target });
    return true;
  }

  #inMount(outer: Mount, rest: string, target: string, node: Node | undefined): void {
    if (outer.file) throw new RootPlanError(`${outer.target} is a file: nothing can be mounted below it`);
    const file = node?.kind === "mount" ? node.mount.file : node?.kind === "file";
    if (outer.type === "bind" && !outer.readOnly && rest !== "/")
      this.#inVolumes.push({ volume: outer.source, path: posix.join(outer.source, rest), file });
    if (node?.kind === "mount") this.#extra.push({ ...node.mount, target });
  }

  #hide(host: string): string {
    const existing = this.#hidden.get(host);
    if (existing !== undefined) return existing;
    const hidden = `${HIDDEN}/host${host}`;
    this.#hidden.set(host, hidden);
    return hidden;
  }

  #expand(
    parent: Node & { kind: "dir" },
    name: string,
    from: { host: string; hidden: string },
  ): Node & { kind: "dir" } {
    const { host } = this.#input;
    const made: Node & { kind: "dir" } = { kind: "dir", children: new Map() };
    for (const entry of host.list(from.host)) {
      const path = posix.join(from.host, entry);
      const kind = host.kind(path);
      if (kind === "link") made.children.set(entry, { kind: "link", target: host.readLink(path) });
      else if (kind !== undefined) {
        const hidden = posix.join(from.hidden, entry);
        made.children.set(entry, { kind: "link", target: hidden, expands: { host: path, hidden } });
      }
    }
    parent.children.set(name, made);
    return made;
  }

  #emit(): RootPlan {
    const directories: { path: string; mode: number }[] = [];
    const links: { path: string; target: string }[] = [];
    const files: { path: string; content: string }[] = [];
    const mounts: Mount[] = [];
    const walk = (path: string, node: Node): void => {
      switch (node.kind) {
        case "dir":
          directories.push({ path, mode: WRITABLE_BY_ALL.includes(path) ? 0o1777 : 0o755 });
          for (const [name, child] of node.children) walk(posix.join(path, name), child);
          return;
        case "link":
          links.push({ path, target: node.target });
          return;
        case "file":
          files.push({ path, content: node.content });
          return;
        case "view":
          this.#point(path, node.file, directories, files);
          mounts.push({ source: node.host, target: path, type: "bind", readOnly: true, recursive: true, file: false });
          return;
        case "mount":
          this.#point(path, node.mount.file, directories, files);
          mounts.push({ ...node.mount, target: path });
      }
    };
    for (const [host, hidden] of this.#hidden) this.#place(hidden, { kind: "view", host, file: false });
    walk("/", this.#root);
    return {
      directories,
      links,
      files,
      ownDevices: this.#ownDevices ? DEVICES : [],
      inVolumes: this.#inVolumes,
      mounts: byDepth([...mounts, ...this.#extra]),
    };
  }

  #point(
    path: string,
    file: boolean,
    directories: { path: string; mode: number }[],
    files: { path: string; content: string }[],
  ): void {
    if (file) files.push({ path, content: "" });
    else directories.push({ path, mode: 0o755 });
  }
}

const parts = (path: string): string[] =>
  posix
    .normalize(path)
    .split("/")
    .filter((part) => part !== "");

const byDepth = (mounts: readonly Mount[]): Mount[] =>
  [...mounts].sort((a, b) => parts(a.target).length - parts(b.target).length);
