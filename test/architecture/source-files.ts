/** The files of the repository as the tests of its architecture read them: walked, not asked of git, so that a tarball works too. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const ROOT = path.join(import.meta.dirname, "..", "..");

const SKIPPED = new Set(["node_modules", "dist", "coverage"]);

/** Paths relative to the root with `/`, sorted; hidden folders and what npm or a build made are left out. */
export function filesBelow(folder = ""): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      if (entry.name.startsWith(".") || SKIPPED.has(entry.name)) return [];
      const file = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesBelow(file);
      return entry.isFile() ? [file] : [];
    })
    .toSorted();
}

export const textOf = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");

export const isCode = (file: string): boolean => /\.(ts|mts|cjs|mjs|js)$/.test(file);

/** What only tests load: they may use the API under test, and the parts of their own workspace. */
export const isTestCode = (file: string): boolean =>
  file.startsWith("test/") ||
  file.endsWith(".test.ts") ||
  /\/(test|testing|testdata|fixtures)\//.test(file) ||
  file.endsWith("/testing.ts") ||
  file.endsWith("-fixture.ts");

const STATEMENT =
  /^\s*(?:import|export)\b[^"'`;()=]*?\bfrom\s*["']([\w@./:-]+)["']|^\s*import\s*["']([\w@./:-]+)["']/gm;
const CALL = /(?<![.\w])(?:import|require|require\.resolve)\s*\(\s*["']([\w@./:-]+)["']\s*[,)]/g;

/** Every module a file names: static, dynamic, type-only, and `require`. */
export function importsOf(file: string): string[] {
  const code = textOf(file).replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(STATEMENT), ...code.matchAll(CALL)].map((match) => match[1] ?? match[2] ?? "");
}
