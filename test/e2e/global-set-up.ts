/** One pattern for all files of this folder: up before the first, down after the last. */
import type { TestProject } from "vitest/node";
import type { Outcome } from "./command.ts";
import { bringUp, removeAll, scratchDirectory } from "./pattern-under-test.ts";

declare module "vitest" {
  export interface ProvidedContext {
    travelops: { readonly dataDir: string; readonly up: Outcome };
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await scratchDirectory();
  const up = await bringUp(["--timeout=60s"], { dataDir });
  project.provide("travelops", { dataDir, up });
  return () => removeAll(dataDir);
}
