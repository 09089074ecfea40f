import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filesBelow, isCode, isTestCode, ROOT, textOf } from "./source-files.ts";

const files = filesBelow().filter(
  (file) => isCode(file) && !isTestCode(file) && !file.endsWith(".mts") && !/\/web\/|\/public\//.test(file),
);

/** Programs: started by name, by a catalogue image, or as a child; everything else must be safe to import. */
function programFiles(): string[] {
  const images = filesBelow().filter((file) => /^(components|apps)\/[^/]+\/package\.json$/.test(file));
  const started = images.flatMap((file) => {
    const { travelops } = JSON.parse(textOf(file)) as {
      travelops?: { images?: { entrypoint?: string[] }[] };
    };
    const folder = path.posix.dirname(file);
    return (travelops?.images ?? [])
      .flatMap((image) => image.entrypoint ?? [])
      .filter((word) => /\.(ts|cjs|mjs|js)$/.test(word))
      .map((word) => path.posix.join(folder, word));
  });
  const named = files.filter((file) => /(^|\/)(main|crash-writer)\.ts$/.test(file));
  return [...new Set([...started, ...named])];
}

const programs = programFiles();
let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(path.join(tmpdir(), "travelops-architecture-"))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("on plain Node", () => {
  it("imports every module, none of which does anything by that, and links every program", async () => {
    const modules = {
      libraries: files.filter((file) => file.endsWith(".ts") && !programs.includes(file)).map(absolute),
      programs: programs.filter((file) => existsSync(absolute(file))).map(absolute),
    };
    const child = spawn(process.execPath, [path.join(import.meta.dirname, "import-modules.ts")], {
      stdio: ["pipe", "pipe", "pipe"],
      cwd: scratch,
    });
    child.stdin.end(JSON.stringify(modules));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(err.replaceAll(/.*ExperimentalWarning.*\n|.*--trace-warnings.*\n/g, "")).toBe("");
    expect(
      out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.replaceAll(`${ROOT}/`, "")),
    ).toEqual([]);
  });

  it("has every program that a catalogue image starts", () => {
    expect(programs.filter((file) => !existsSync(absolute(file)))).toEqual([]);
  });

  it.each(files.filter((file) => file.endsWith(".cjs")))("can parse %s", async (file) => {
    await expect(promisify(execFile)(process.execPath, ["--check", absolute(file)])).resolves.toBeDefined();
  });
});

function absolute(file: string): string {
  return path.join(ROOT, file);
}
