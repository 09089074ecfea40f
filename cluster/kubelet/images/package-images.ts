/** Images that packages of ours declare in their package.json (`travelops.images`). */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { Image } from "./image.ts";
import { matcher, type ImageReference } from "./reference.ts";

export interface CatalogueEntry {
  readonly references: readonly string[];
  matches(reference: ImageReference): boolean;
  readonly image: Image;
}

export class ImageDeclarationError extends Error {
  override readonly name = "ImageDeclarationError";
}

interface Declaration {
  readonly references?: unknown;
  readonly version?: unknown;
  readonly entrypoint?: unknown;
  readonly cmd?: unknown;
  readonly env?: unknown;
  readonly workingDir?: unknown;
  readonly programs?: unknown;
}

/** Reads `DIR/package.json` of every directory; throws `ImageDeclarationError` that names file and field. */
export function packageImages(
  directories: readonly string[],
  node: string,
  env: Readonly<Record<string, string>> = {},
): CatalogueEntry[] {
  return directories.flatMap((directory) => {
    const file = join(directory, "package.json");
    if (!existsSync(file)) return [];
    const manifest = parse(file);
    const declared = (manifest["travelops"] as { images?: unknown } | undefined)?.images;
    if (declared === undefined) return [];
    if (!Array.isArray(declared)) throw new ImageDeclarationError(`${file}: travelops.images has to be a list`);
    const folder = realpathSync(directory);
    const view = [...packageView(folder), node];
    return declared.map((one, index) =>
      entry(one as Declaration, { file: `${file}: travelops.images[${index}]`, folder, view, node, env, manifest }),
    );
  });
}

interface Context {
  readonly file: string;
  readonly folder: string;
  readonly view: readonly string[];
  readonly node: string;
  readonly env: Readonly<Record<string, string>>;
  readonly manifest: Record<string, unknown>;
}

function entry(declaration: Declaration, context: Context): CatalogueEntry {
  const { file, folder, node, manifest } = context;
  const references = strings(declaration.references, `${file}.references`);
  const argv = (value: unknown, where: string): string[] => resolved(strings(value ?? [], where), folder, node);
  const programs = Object.entries((declaration.programs ?? {}) as Record<string, unknown>).map(
    ([name, value]) => [name, argv(value, `${file}.programs.${name}`)] as const,
  );
  const image: Image = {
    origin: text(manifest["name"], folder),
    version: text(declaration.version, text(manifest["version"], "0")),
    entrypoint: argv(declaration.entrypoint, `${file}.entrypoint`),
    cmd: strings(declaration.cmd ?? [], `${file}.cmd`),
    env: { ...context.env, ...stringMap(declaration.env ?? {}, `${file}.env`) },
    workingDir: resolve(folder, typeof declaration.workingDir === "string" ? declaration.workingDir : "."),
    view: context.view,
    programs: Object.fromEntries(programs),
    path: [dirname(node)],
  };
  const matchers = references.map(matcher);
  return { references, image, matches: (reference) => matchers.some((match) => match(reference)) };
}

/** `node` is the pinned one; a word that names a file of the package stands for that file. */
export function resolved(argv: readonly string[], folder: string, node: string): string[] {
  return argv.map((word, index) => {
    if (index === 0 && word === "node") return node;
    if (word.startsWith("-") || isAbsolute(word) || !/[./]/.test(word)) return word;
    const file = join(folder, word);
    return existsSync(file) ? file : word;
  });
}

/** What a package needs to be loaded: itself, the node_modules above it, and what these link to. */
export function packageView(folder: string): string[] {
  const view = new Set([folder]);
  for (let directory = folder; ; directory = dirname(directory)) {
    const modules = join(directory, "node_modules");
    if (existsSync(modules)) {
      view.add(modules);
      for (const target of linkedPackages(modules)) view.add(target);
    }
    const manifest = join(directory, "package.json");
    if (directory !== folder && existsSync(manifest)) view.add(manifest);
    if (directory === dirname(directory)) break;
  }
  return withoutNested([...view]);
}

function linkedPackages(modules: string): string[] {
  const links: string[] = [];
  const look = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (lstatSync(path).isSymbolicLink()) links.push(path);
      else if (name.startsWith("@")) look(path);
    }
  };
  look(modules);
  return links.flatMap((link) => {
    try {
      const target = realpathSync(link);
      return target.startsWith(`${modules}/`) ? [] : [target];
    } catch {
      return [];
    }
  });
}

const withoutNested = (paths: readonly string[]): string[] =>
  paths.filter((path) => !paths.some((other) => other !== path && path.startsWith(`${other}/`)));

function parse(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new ImageDeclarationError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A string or number of a declaration; anything else counts as left out. */
export const text = (value: unknown, otherwise: string): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : otherwise;

export function strings(value: unknown, where: string): string[] {
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string"))
    throw new ImageDeclarationError(`${where} has to be a list of strings`);
  return value as string[];
}

export function stringMap(value: unknown, where: string): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ImageDeclarationError(`${where} has to be a map of strings`);
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
