/** The real kubectl and Helm: those the project carries (their version is the tested one), else those on PATH. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gitMissing, toolMissing } from "./errors.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const TOOLS_DIR = path.join(ROOT, "node_modules", ".cache", "travelops", "tools");

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env["PATH"] ?? "")
    .split(path.delimiter)
    .filter((dir) => dir !== "")
    .map((dir) => path.join(dir, name))
    .find(executable);
}

export function findTool(name: "kubectl" | "helm", env: NodeJS.ProcessEnv): string {
  const carried = path.join(TOOLS_DIR, name);
  const found = executable(carried) ? carried : onPath(name, env);
  if (found === undefined) throw toolMissing(name);
  return found;
}

export function findGit(env: NodeJS.ProcessEnv): string {
  const git = onPath("git", env);
  if (git === undefined) throw gitMissing();
  return git;
}
