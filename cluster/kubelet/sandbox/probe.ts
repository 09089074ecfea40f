/** Which sandbox this machine allows, found out by trying: the kernel's own answer is the only one that counts. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { idMappers, mayMapRanges, pathWith, RANGE_OPTIONS, writePrograms } from "./id-ranges.ts";
import { findTools, type Tools } from "./tools.ts";

export type SandboxChoice = "auto" | "namespaces" | "bare";

export type SandboxDecision =
  | { readonly kind: "namespaces"; readonly tools: Tools; readonly users: "range" | "single"; readonly note: string }
  | { readonly kind: "bare"; readonly note: string };

type NamespacesDecision = Extract<SandboxDecision, { kind: "namespaces" }>;

export class SandboxUnavailableError extends Error {
  override readonly name = "SandboxUnavailableError";
}

/** Does in miniature what a pod needs: the namespaces, a bridge with a veth pair, a mount, /proc, and a locked user namespace. */
const TRIAL = `
set -e
"$1" -t tmpfs tmpfs /mnt 2>/dev/null || "$1" -t tmpfs tmpfs /tmp
"$2" link set lo up
"$2" link add br0 type bridge
"$2" link add v0 type veth peer name v1
echo 1 > /proc/sys/net/ipv4/ip_forward
"$2" route add local 10.64.0.0/16 dev lo
"$3" -p -f "$5" -c '"$1" -t proc proc /proc && PATH=$4:$PATH && "$2" -U "$5" "$6" -m "$3" -c :' sh "$1" "$3" "$5" "$6" "$7" "$8"
"$4" --pdeathsig KILL "$5" -c :
`;

/** Decides; rejects with `SandboxUnavailableError` when `namespaces` is asked for and cannot be had. */
export async function chooseSandbox(choice: SandboxChoice, path?: string): Promise<SandboxDecision> {
  if (choice === "bare") return { kind: "bare", note: "asked for with --sandbox bare" };
  const refusal = await tryNamespaces(path);
  if ("tools" in refusal) return { kind: "namespaces", ...refusal, note: "this machine allows rootless namespaces" };
  if (choice === "namespaces")
    throw new SandboxUnavailableError(
      `--sandbox namespaces: ${refusal.reason}. Use --sandbox auto to run pods as plain processes instead.`,
    );
  return { kind: "bare", note: `${refusal.reason}; pods run as plain processes` };
}

async function tryNamespaces(path?: string): Promise<Pick<NamespacesDecision, "tools" | "users"> | { reason: string }> {
  if (process.platform !== "linux") return { reason: `namespaces exist on Linux only, this is ${process.platform}` };
  const tools = findTools(path);
  if ("missing" in tools)
    return { reason: `${tools.missing.join(", ")} not found (util-linux and iproute2 have them)` };
  if (mayMapRanges() && (await tryWithRanges(tools))) return { tools, users: "range" };
  const said = await attempt(tools.unshare, trialArguments(tools, ["--map-root-user"], MAP_ONE));
  return said === undefined
    ? { tools, users: "single" }
    : { reason: `the kernel refuses rootless namespaces (${said}${hint()})` };
}

async function tryWithRanges(tools: Tools): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), "travelops-ids-"));
  try {
    const path = writePrograms(directory, idMappers(tools.sh, "outer"));
    const inner = writePrograms(join(directory, "inner"), idMappers(tools.sh, "inner"));
    const args = trialArguments(tools, RANGE_OPTIONS, [inner, ...RANGE_OPTIONS]);
    return (await attempt(tools.unshare, args, path)) === undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Nothing of ours on PATH, and one user. */
const MAP_ONE = ["/nonexistent", "--map-user=1000", "--map-group=1000"];

function trialArguments(tools: Tools, outer: readonly string[], inner: readonly string[]): string[] {
  const { unshare, mount, ip, setpriv, sh } = tools;
  return [
    ...["--user", ...outer, "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"],
    ...[sh, "-c", TRIAL, "sh", mount, ip, unshare, setpriv, sh, ...inner],
  ];
}

/** undefined: it worked. Otherwise the first line of what was said. */
function attempt(file: string, args: readonly string[], first?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: pathWith(first), LC_ALL: "C" },
    });
    let said = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? undefined : (said.trim().split("\n")[0] ?? "").slice(0, 200) || `exit code ${code}`);
    });
  });
}

/** The settings that are behind most refusals. */
function hint(): string {
  const isSet = (file: string, value: string): boolean =>
    existsSync(file) && readFileSync(file, "utf8").trim() === value;
  if (isSet("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
    return "; kernel.apparmor_restrict_unprivileged_userns is 1";
  if (isSet("/proc/sys/kernel/unprivileged_userns_clone", "0")) return "; kernel.unprivileged_userns_clone is 0";
  if (isSet("/proc/sys/user/max_user_namespaces", "0")) return "; user.max_user_namespaces is 0";
  return "";
}
