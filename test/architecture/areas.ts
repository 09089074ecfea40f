/** Which part of the house a module belongs to, and which parts it may know. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { filesBelow, ROOT } from "./source-files.ts";

/** `cli`, `cluster`, `test`, or one of several: `components/gitops`, `packages/kube`, `apps/travel`. */
export type Area = string;

const MANY = new Set(["components", "packages", "apps"]);

export function areaOf(file: string): Area {
  const [first = "", second = ""] = file.split("/");
  return MANY.has(first) ? `${first}/${second}` : first;
}

/** The areas of the workspaces by the names of their packages. */
export function workspaces(): ReadonlyMap<string, Area> {
  const found = filesBelow().filter((file) => /^[^/]+(\/[^/]+)?\/package\.json$/.test(file));
  return new Map(
    found.map((file) => {
      const { name } = JSON.parse(readFileSync(path.join(ROOT, file), "utf8")) as { name: string };
      return [name, path.posix.dirname(file)];
    }),
  );
}

/** What is imported: a part of this repository, a program's own file outside it, or a library. */
export type Target =
  | { readonly kind: "area"; readonly area: Area }
  | { readonly kind: "outside" }
  | { readonly kind: "library"; readonly name: string }
  | { readonly kind: "node" };

export function targetOf(file: string, specifier: string, packages: ReadonlyMap<string, Area>): Target {
  if (specifier.startsWith("node:")) return { kind: "node" };
  if (/^[./]/.test(specifier)) {
    const resolved = path.relative(ROOT, path.resolve(ROOT, path.dirname(file), specifier));
    return resolved.startsWith("..") ? { kind: "outside" } : { kind: "area", area: areaOf(resolved) };
  }
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
  const area = packages.get(name);
  return area === undefined ? { kind: "library", name } : { kind: "area", area };
}

/** The arrows of the design; a part always knows itself. */
export function mayImport(from: Area, to: Area, testCode: boolean): boolean {
  if (from === to || from === "test") return true;
  if (testCode && to === "test") return true;
  const kind = from.split("/")[0];
  const toPackages = to.startsWith("packages/");
  switch (kind) {
    case "cli":
      return toPackages || to === "cluster";
    case "cluster":
    case "components":
      return toPackages;
    case "packages":
      return toPackages;
    default:
      // Apps, the launcher and the configuration of tools know nothing of ours.
      return false;
  }
}
