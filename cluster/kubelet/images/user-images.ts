/** Images that users add: `images.yaml` of their pattern (reference → command or directory). */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import type * as yaml from "yaml";
import {
  ImageDeclarationError,
  packageView,
  resolved,
  stringMap,
  strings,
  text,
  type CatalogueEntry,
} from "./package-images.ts";
import { matcher } from "./reference.ts";

const FIELDS = new Set(["reference", "references", "command", "args", "directory", "env", "version"]);

/**
 * ```yaml
 * images:
 * - reference: quay.io/acme/shop      # any tag; * for any text
 *   directory: ./shop                 # the working directory, shown read-only
 *   command: [node, server.js]
 *   args: []
 *   env: {}
 * ```
 */
export function userImages(file: string, node: string): CatalogueEntry[] {
  if (!existsSync(file)) return [];
  let document: unknown;
  try {
    // Loaded here: most clusters have no such file, and the parser is large.
    const { parse } = createRequire(import.meta.url)("yaml") as typeof yaml;
    document = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ImageDeclarationError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof document !== "object" || Array.isArray(document))
    throw new ImageDeclarationError(`${file} has to hold a map with the list "images"`);
  const unknown = Object.keys(document ?? {}).find((field) => field !== "images");
  if (unknown !== undefined) throw new ImageDeclarationError(`${file}: unknown field ${unknown} (there is "images")`);
  const images = (document as { images?: unknown } | null)?.images ?? [];
  if (!Array.isArray(images)) throw new ImageDeclarationError(`${file}: images has to be a list`);
  return images.map((one: unknown, index) => userImage(one, `${file}: images[${index}]`, dirname(resolve(file)), node));
}

function userImage(value: unknown, where: string, base: string, node: string): CatalogueEntry {
  if (typeof value !== "object" || value === null) throw new ImageDeclarationError(`${where} has to be a map`);
  const declaration = value as Record<string, unknown>;
  for (const field of Object.keys(declaration))
    if (!FIELDS.has(field))
      throw new ImageDeclarationError(`${where}: unknown field ${field} (there are ${[...FIELDS].join(", ")})`);
  const references = declaration["references"] === undefined ? [declaration["reference"]] : declaration["references"];
  const names = strings(references, `${where}.reference`);
  const folder =
    declaration["directory"] === undefined ? undefined : resolve(base, text(declaration["directory"], "."));
  if (folder !== undefined && !(existsSync(folder) && statSync(folder).isDirectory()))
    throw new ImageDeclarationError(`${where}.directory: ${folder} is no directory`);
  const entrypoint = resolved(strings(declaration["command"] ?? [], `${where}.command`), folder ?? base, node);
  const matchers = names.map(matcher);
  return {
    references: names,
    matches: (reference) => matchers.some((match) => match(reference)),
    image: {
      origin: where.slice(0, where.indexOf(":")),
      version: text(declaration["version"], "0"),
      entrypoint,
      cmd: strings(declaration["args"] ?? [], `${where}.args`),
      env: stringMap(declaration["env"] ?? {}, `${where}.env`),
      workingDir: folder ?? "/",
      view: [...(folder === undefined ? [] : packageView(folder)), node],
      programs: {},
      path: [dirname(node)],
    },
  };
}
