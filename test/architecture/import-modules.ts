/**
 * Run on plain Node by `real-node.test.ts`, since vitest resolves and transforms more than Node does. Reads
 * `{libraries, programs}` (absolute paths) from stdin and prints what is wrong, one line each:
 * a library that cannot be imported or does something when it is, a program whose imports do not link.
 */
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

interface Modules {
  readonly libraries: readonly string[];
  readonly programs: readonly string[];
}

const { libraries, programs } = JSON.parse(await text(process.stdin)) as Modules;
const programUrls = new Set(programs.map((file) => pathToFileURL(file).href));

const IMPORTS =
  /^\s*(?:import|export)\b[^"'`;()=]*?\bfrom\s*["'][^"'\n]+["'][^;\n]*;?|^\s*import\s*["'][^"'\n]+["'];?/gm;

// A program is only linked: its imports are kept, and what it does is left out.
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!programUrls.has(url) || loaded.source === undefined || loaded.source === null) return loaded;
    const code = stripTypeScriptTypes(Buffer.from(loaded.source as Uint8Array).toString());
    return { format: "module", source: (code.match(IMPORTS) ?? []).join("\n"), shortCircuit: true };
  },
});

const say = (file: string, what: string): void => void process.stdout.write(`${file}: ${what}\n`);

/** What a module could have left behind in the process. */
const traces = (): string =>
  JSON.stringify({
    listeners: process.eventNames().map(String).toSorted(),
    handles: process
      .getActiveResourcesInfo()
      .filter((name) => /Timeout|Immediate|TCP|UDP|Pipe(?!Wrap)|Process|Worker|FSWatch/.test(name)),
    environment: Object.keys(process.env).length,
    directory: process.cwd(),
  });

for (const file of [...libraries, ...programs]) {
  const before = traces();
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    say(file, String(error).split("\n")[0] ?? "");
    continue;
  }
  const after = traces();
  if (after !== before) say(file, `importing it does something: ${before} became ${after}`);
}
