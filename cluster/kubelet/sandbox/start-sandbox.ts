/** Starts the sandbox that was chosen. */
import type { BareOptions } from "./bare.ts";
import type { NamespacesOptions } from "./namespaces.ts";
import type { SandboxDecision } from "./probe.ts";
import type { Sandbox } from "./sandbox.ts";

export type SandboxSettings = Omit<NamespacesOptions, "tools" | "note" | "users"> &
  Omit<BareOptions, "note" | "directory">;

/** Loads only the code of the sandbox in use. */
export async function startSandbox(decision: SandboxDecision, settings: SandboxSettings): Promise<Sandbox> {
  if (decision.kind === "namespaces") {
    const { startNamespaces } = await import("./namespaces.ts");
    return startNamespaces({ ...settings, tools: decision.tools, users: decision.users, note: decision.note });
  }
  const { startBare } = await import("./bare.ts");
  return startBare({ ...settings, note: decision.note });
}
