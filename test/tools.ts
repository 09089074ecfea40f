/** The real kubectl and Helm that tests drive: those that the set-up unpacked, else those on PATH. */
import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";

export function toolPath(name: "kubectl" | "helm"): string {
  const carried = fileURLToPath(new URL(`../node_modules/.cache/travelops/tools/${name}`, import.meta.url));
  try {
    accessSync(carried, constants.X_OK);
    return carried;
  } catch {
    return name;
  }
}
