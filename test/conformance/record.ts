/**
 * Writes down what the API under test answers: `KUBEBUILDER_ASSETS=DIR node test/conformance/record.ts [WORD]` runs the
 * scripts of `scripts/api` and `scripts/control` whose names have the word, and replaces each expectation that does not
 * match; that of a step `~` stands as `?` until then, and becomes what the command came to rest at. Run it against upstream's programs, and read the
 * difference before it is committed.
 */
import { writeFile } from "node:fs/promises";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { startControlUnderTest } from "../control/control-under-test.ts";
import { createBench, type NamedScript, type ScriptFolder, scriptsOf, type ServerUnderTest } from "./bench.ts";
import { type Bench, runScript, strictJudge } from "./run-script.ts";
import { type Block, renderScript, type Step } from "./script.ts";

const SETTLE_MS = 3000;

/** Suffixes of generated names and hashes of templates: letters and digits that make no words. */
const GENERATED = /-(?=[a-z]*\d|[^aeiou]{5})[bcdfghjklmnpqrstvwxz2456789]{5,10}(?![a-z0-9])/g;

/** What differs from run to run becomes a placeholder. */
function generalize(line: string, bench: Bench): string {
  let text = line.replace(/\s+$/, "");
  for (const [name, value] of bench.variables) text = text.replaceAll(value, `\${${name}}`);
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uid>")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<time>")
    .replace(/^(LAST DEPLOYED: ).*/, "$1<*>")
    .replace(/\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC\t/, "\t<*>\t")
    .replace(/\t\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}\t/, "\t<*>\t")
    .replaceAll(/( {2})\d+s(?= {2}|$)/g, "$1<age>")
    .replaceAll(/\b10\.64\.\d+\.\d+\b/g, "10.64.<n>.<n>")
    .replaceAll(/(kube-api-access-)[a-z0-9]{5}\b/g, "$1<word>")
    .replace(/^(diff -u -N).*/, "$1 <*>")
    .replace(/^(---|\+\+\+) .*(LIVE|MERGED).*/, "$1 <*>")
    .replaceAll(/("?resourceVersion"?: ?)"\d+"/g, '$1"<n>"')
    .replaceAll(/(in record \(|, current: )\d+/g, "$1<n>")
    .replaceAll(/(\/kubectl-edit-)\d+/g, "$1<n>")
    .replaceAll(GENERATED, "-<word>")
    .replaceAll(/"continue":"[^"]+"/g, '"continue":"<word>"');
}

function linesOf(text: string, bench: Bench): string[] {
  const lines = text.replace(/\n+$/, "").split("\n");
  return lines.length === 1 && lines[0] === "" ? [] : lines.map((line) => generalize(line, bench));
}

async function record(server: ServerUnderTest, { name, file, script }: NamedScript): Promise<void> {
  const bench = await createBench(server, name);
  const recorded = new Map<Step, Step>();
  try {
    await runScript(
      script,
      bench,
      (step, output) => {
        try {
          strictJudge(step, output, bench);
        } catch (error) {
          console.log(`${name}: ${error instanceof Error ? error.message : String(error)}`);
          const { code } = output;
          const [stdout, stderr] = [linesOf(output.stdout, bench), linesOf(output.stderr, bench)];
          recorded.set(step, { ...step, stdout, stderr, code });
        }
      },
      { settleMs: SETTLE_MS },
    );
  } finally {
    await bench.close();
    const blocks: Block[] = script.blocks.map((block) =>
      block.type === "step" ? (recorded.get(block) ?? block) : block,
    );
    await writeFile(file, renderScript({ blocks }));
  }
}

const [, , word] = process.argv;
if (word !== undefined) process.env["CONFORMANCE"] = word;
await recordAll("api", false, () => startApiUnderTest({ serviceAccounts: true }));
await recordAll("control", true, startControlUnderTest);

async function recordAll(
  folder: ScriptFolder,
  controllers: boolean,
  start: () => Promise<ApiUnderTest>,
): Promise<void> {
  const scripts = scriptsOf(folder);
  if (scripts.length === 0) return;
  const api = await start();
  try {
    for (const script of scripts)
      await record({ ...api, controllers }, script).catch((error: unknown) => console.error(`${script.name}:`, error));
  } finally {
    await api.close();
  }
}
