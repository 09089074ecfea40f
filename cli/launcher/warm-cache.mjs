/**
 * Compiles every program of the project once into Node's compile cache, so that none pays for type stripping when it
 * starts (a pod: a third of the time and of the memory). Nothing is run: a module that is imported before the program
 * throws, when all that the program imports has been compiled and before any of it is evaluated.
 */
import { readdirSync, readFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { enableCompileCache, flushCompileCache } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const root = path.resolve(import.meta.dirname, "..", "..");
const cache = process.argv[2];
if (cache === undefined) throw new Error("usage: warm-cache.mjs CACHE");

/** The command, the cluster and its dataplane, and what the images of components and apps start. */
function programs() {
  const own = ["cli/main.ts", "cluster/main.ts", "cluster/network/dataplane/main.ts"].map((file) =>
    path.join(root, file),
  );
  return [
    ...own,
    ...["components", "apps"].flatMap((parent) => packagesOf(path.join(root, parent)).flatMap(imagePrograms)),
  ];
}

const packagesOf = (directory) =>
  readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(directory, entry.name));

function imagePrograms(directory) {
  const manifest = path.join(directory, "package.json");
  if (!existsSync(manifest)) return [];
  const images = JSON.parse(readFileSync(manifest, "utf8")).travelops?.images ?? [];
  const files = images.flatMap((image) => image.entrypoint ?? []).filter((argument) => argument.endsWith(".ts"));
  return [...new Set(files)].map((file) => path.join(directory, file));
}

async function compile(program, scratch, index) {
  const stop = path.join(scratch, "stop.mjs");
  writeFileSync(stop, 'throw new Error("compiled");\n');
  const wrapper = path.join(scratch, `${index}.mjs`);
  writeFileSync(
    wrapper,
    `import ${JSON.stringify(pathToFileURL(stop).href)};\nimport ${JSON.stringify(pathToFileURL(program).href)};\n`,
  );
  try {
    await import(pathToFileURL(wrapper).href);
  } catch (error) {
    if (error.message !== "compiled")
      throw new Error(`${path.relative(root, program)}: ${error.message}`, { cause: error });
  }
}

/** Node keeps a cache a user; inside a pod's user namespace the same user is number 0. */
function shareWithPods() {
  const uid = process.getuid?.();
  if (uid === undefined || uid === 0) return;
  for (const name of readdirSync(cache)) {
    if (!name.endsWith(`-${uid}`)) continue;
    const alias = path.join(cache, `${name.slice(0, -String(uid).length)}0`);
    if (!existsSync(alias)) symlinkSync(name, alias);
  }
}

const scratch = path.join(cache, `warm-${process.pid}`);
mkdirSync(scratch, { recursive: true });
try {
  enableCompileCache(cache);
  for (const [index, program] of programs().entries()) await compile(program, scratch, index);
  flushCompileCache();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
shareWithPods();
