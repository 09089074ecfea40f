/** The programs of util-linux and iproute2 that the namespaces sandbox stands on, found once by absolute path. */
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

const NAMES = ["unshare", "nsenter", "mount", "umount", "pivot_root", "setpriv", "ip", "sh"] as const;

export type ToolName = (typeof NAMES)[number];
export type Tools = Readonly<Record<ToolName, string>> & {
  readonly hostname: string | undefined;
  /** Gives a command a terminal of its own. */
  readonly setsid: string | undefined;
  readonly prlimit: string | undefined;
};

const SYSTEM_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The absolute path of a program, looked up on `path` and then where systems keep their own. */
export function findProgram(name: string, path: string = process.env["PATH"] ?? ""): string | undefined {
  for (const dir of [...SYSTEM_PATH, ...path.split(":").filter((part) => part.startsWith("/"))]) {
    const file = join(dir, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

export function findTools(path?: string): Tools | { missing: ToolName[] } {
  const found: Partial<Record<ToolName, string>> = {};
  const missing: ToolName[] = [];
  for (const name of NAMES) {
    const file = findProgram(name, path);
    if (file === undefined) missing.push(name);
    else found[name] = file;
  }
  if (missing.length > 0) return { missing };
  return {
    ...(found as Record<ToolName, string>),
    hostname: findProgram("hostname", path),
    setsid: findProgram("setsid", path),
    prlimit: findProgram("prlimit", path),
  };
}
