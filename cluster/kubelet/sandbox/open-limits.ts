/** Finds by what limits can be held on this machine, and has podhost use it. */
import { findControlGroups, groupName, releaseControlGroups, removeStaleGroups } from "./control-groups.ts";
import type { PodhostClient } from "./podhost-client.ts";
import type { LimitEnforcement } from "./sandbox.ts";

export interface OpenLimits {
  readonly enforced: LimitEnforcement;
  /** Takes the groups away; for after the last process has ended. */
  release(): Promise<void>;
}

export interface LimitTools {
  readonly clusterId: string;
  readonly sh: string;
  readonly prlimit: string | undefined;
  /** The containers have user namespaces of their own. */
  readonly inside: boolean;
}

export async function openLimits(client: PodhostClient, tools: LimitTools): Promise<OpenLimits> {
  const { clusterId, sh, prlimit, inside } = tools;
  const bases = process.platform === "linux" ? findControlGroups(groupName(clusterId)) : undefined;
  if (bases !== undefined) removeStaleGroups(bases);
  // To the kernel the machine's root has no limit of processes.
  const heeded = prlimit !== undefined && process.getuid?.() !== 0;
  const enforced = await client.request<LimitEnforcement & Record<string, unknown>>("limits-open", {
    bases,
    sh,
    inside,
    ...(heeded ? { prlimit } : {}),
  });
  if (enforced.memory !== "cgroup" && bases !== undefined) await releaseControlGroups(bases);
  return { enforced, release: async () => (bases === undefined ? undefined : releaseControlGroups(bases)) };
}
