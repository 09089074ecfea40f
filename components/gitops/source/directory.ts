/** Plain manifests: every YAML and JSON file of a directory. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { DirectorySource } from "../application/types.ts";
import { parseManifestFile, type Manifest } from "./manifests.ts";
import { SourceError } from "./source-error.ts";

const MANIFEST = /\.(ya?ml|json)$/i;

export async function renderDirectory(root: string, directory: string, options: DirectorySource): Promise<Manifest[]> {
  if (options.jsonnet !== undefined && Object.keys(options.jsonnet).length > 0)
    throw new SourceError("directory.jsonnet is not supported: render Jsonnet before it is committed");
  const files = await manifestFiles(directory, directory, options);
  const manifests: Manifest[] = [];
  for (const file of files) {
    const name = path.relative(root, file);
    if (/\.jsonnet$/i.test(file))
      throw new SourceError(`${name}: Jsonnet is not supported: render it before it is committed`);
    manifests.push(...parseManifestFile(await readFile(file, "utf8"), name));
  }
  return manifests;
}

async function manifestFiles(base: string, directory: string, options: DirectorySource): Promise<string[]> {
  const files: string[] = [];
  const entries = (await readdir(directory, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (options.recurse === true && entry.name !== ".git") files.push(...(await manifestFiles(base, file, options)));
    } else if (included(path.relative(base, file), options)) files.push(file);
  }
  return files;
}

function included(name: string, { include, exclude }: DirectorySource): boolean {
  if (!MANIFEST.test(name) && !/\.jsonnet$/i.test(name)) return false;
  if (exclude !== undefined && exclude !== "" && matches(name, exclude)) return false;
  return include === undefined || include === "" || matches(name, include);
}

const matches = (name: string, glob: string): boolean => path.matchesGlob(name, glob);
