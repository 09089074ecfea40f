/** Starts auditing where a policy file lies in the data directory; without one nothing of it is loaded. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import type { Auditor } from "./auditor.ts";

export const AUDIT_POLICY_FILE = "audit-policy.yaml";
/** Below the data directory. */
export const AUDIT_DIRECTORY = "audit";

/** Rejects, naming the file, when the policy is none. */
export async function openAudit(options: {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Auditor | undefined> {
  const file = path.join(options.dir, AUDIT_POLICY_FILE);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const [{ parsePolicy }, { createAuditor }] = await Promise.all([import("./policy.ts"), import("./auditor.ts")]);
  try {
    const policy = parsePolicy(text);
    return await createAuditor({ ...options, dir: path.join(options.dir, AUDIT_DIRECTORY), policy });
  } catch (error) {
    throw new Error(
      `the audit policy ${file} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}
