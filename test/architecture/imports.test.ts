import { execFile } from "node:child_process";
import { builtinModules } from "node:module";
import os from "node:os";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { areaOf, mayImport, targetOf, workspaces } from "./areas.ts";
import { filesBelow, importsOf, isCode, isTestCode, ROOT, textOf } from "./source-files.ts";

const LONGEST = 400;

/** Files that may be longer, each with its reason. */
const LONG: Readonly<Record<string, string>> = {};

const files = filesBelow();
const code = files.filter(isCode);
const packages = workspaces();

it("keeps the arrows of the design: nobody imports what it must not know", () => {
  const wrong = code.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const target = targetOf(file, specifier, packages);
      if (target.kind !== "area" || mayImport(areaOf(file), target.area, isTestCode(file))) return [];
      // The launcher at the root hands over to the command line: that is all it does.
      if (file === "travelops") return [];
      return [`${file} imports ${specifier}: ${areaOf(file)} must not know ${target.area}`];
    }),
  );
  expect(wrong).toEqual([]);
});

it("stays within the repository", () => {
  const outside = code.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => targetOf(file, specifier, packages).kind === "outside")
      .map((specifier) => `${file} imports ${specifier}, which lies outside the repository`),
  );
  expect(outside).toEqual([]);
});

it("declares every library in the workspace that imports it", () => {
  const builtin = new Set(builtinModules);
  const missing = code
    .filter((file) => areaOf(file).split("/")[0] !== file)
    .flatMap((file) => {
      const area = areaOf(file);
      const declared = new Set([...dependenciesOf(area), ...(isTestCode(file) ? dependenciesOf("") : [])]);
      return importsOf(file).flatMap((specifier) => {
        const target = targetOf(file, specifier, packages);
        if (target.kind !== "library" || declared.has(target.name) || builtin.has(target.name)) return [];
        return [`${file} imports ${target.name}, which ${area}/package.json does not declare`];
      });
    });
  expect([...new Set(missing)]).toEqual([]);
});

function dependenciesOf(area: string): string[] {
  const file = area === "" ? "package.json" : `${area}/package.json`;
  const declared = JSON.parse(textOf(file)) as Record<string, Record<string, string> | undefined>;
  return ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) =>
    Object.keys(declared[kind] ?? {}),
  );
}

it(`has no file of more than ${LONGEST} lines`, () => {
  const long = code
    .filter((file) => LONG[file] === undefined)
    .map((file) => ({ file, lines: textOf(file).trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > LONGEST)
    .map(({ file, lines }) => `${file} has ${lines} lines`);
  expect(long).toEqual([]);
  expect(Object.keys(LONG).filter((file) => !files.includes(file))).toEqual([]);
});

/** A path that exists on one machine only: of this checkout, of its user, or of any user's home. */
function machinePath(text: string): string | undefined {
  const home = os.homedir();
  const own = [ROOT, ...(/^\/(home|Users)\/./.test(home) ? [home] : [])].find((one) => text.includes(one));
  return own ?? /(?<![\w.])\/(?:home|Users)\/[a-z][\w.-]*\//.exec(text)?.[0];
}

it("has no path of one machine in a tracked file", async () => {
  const tracked = await promisify(execFile)("git", ["ls-files", "-z"], {
    cwd: ROOT,
    maxBuffer: 1 << 26,
  }).then(
    ({ stdout }) => stdout.split("\0").filter((file) => files.includes(file)),
    () => files,
  );
  const found = tracked.flatMap((file) => {
    const at = machinePath(textOf(file));
    return at === undefined ? [] : [`${file}: ${at}`];
  });
  expect(found).toEqual([]);
});

it("reads nothing of the notes that lie beside the repository", () => {
  const reading = code.filter((file) => /\bshared\/(kube-facts|crd-facts|reference|DESIGN)/.test(textOf(file)));
  expect(reading.filter((file) => file !== "test/architecture/imports.test.ts")).toEqual([]);
});

it("imports no value of node:http, which costs every process 40 ms and 16 MB", () => {
  const costly = code
    .filter((file) => !isTestCode(file) && file.endsWith(".ts"))
    .filter((file) => /^import (?!type\b)[^;]*from "(node:)?http";/m.test(textOf(file)))
    .map((file) => `${file} imports a value of node:http: ask for it by node-http.ts`);
  expect(costly).toEqual([]);
});
