/** One pattern for all files of this folder: up before the first, down after the last. */
import type { TestProject } from "vitest/node";
import { command, type Outcome } from "./command.ts";
import { clusterLog, freePorts, removeAll, scratchDirectory } from "./pattern-under-test.ts";

declare module "vitest" {
  export interface ProvidedContext {
    travelops: { readonly dataDir: string; readonly up: Outcome };
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await scratchDirectory();
  const up = await command(["up", "--detach", "--timeout", "60s", ...(await freePorts())], { dataDir });
  if (up.code !== 0) {
    const log = await clusterLog(dataDir);
    await removeAll(dataDir);
    throw new Error(`up ended with ${up.code}:\n${up.stderr}\nits log ends with:\n${log.slice(-3000)}`);
  }
  project.provide("travelops", { dataDir, up });
  return () => removeAll(dataDir);
}
