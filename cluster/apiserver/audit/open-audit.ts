/** Starts auditing where there is a policy file; without one nothing of it is loaded. */
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
  /** The cluster's data directory: its own policy, and the log. */
  readonly dir: string;
  /** For clusters without a policy of their own; may be missing. */
  readonly sharedPolicy?: string;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Auditor | undefined> {
  const found = await firstOf([path.join(options.dir, AUDIT_POLICY_FILE), options.sharedPolicy]);
  if (found === undefined) return undefined;
  const { file, text } = found;
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

async function firstOf(files: readonly (string | undefined)[]): Promise<{ file: string; text: string } | undefined> {
  for (const file of files) {
    if (file === undefined) continue;
    try {
      return { file, text: await readFile(file, "utf8") };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return undefined;
}
