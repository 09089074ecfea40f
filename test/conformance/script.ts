/**
 * A conformance script: a transcript of commands and what they print, as text. `README.md` beside this file tells the
 * format. Parsed into blocks that render back to the same text, so that `record.ts` can rewrite what was expected.
 */

/** `run` once, `retry` until it matches, `start` in the background, `await` a background command's next output. */
export type StepKind = "run" | "retry" | "start" | "await";

export interface Step {
  readonly type: "step";
  readonly kind: StepKind;
  /** Of the background command that `start` and `await` are about. */
  readonly name: string;
  readonly command: string;
  readonly line: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly code: number;
}

export type Block =
  | Step
  | { readonly type: "text"; readonly lines: readonly string[] }
  | { readonly type: "file"; readonly path: string; readonly content: string };

export interface Script {
  readonly blocks: readonly Block[];
}

const MARKS: Readonly<Record<string, StepKind>> = { $: "run", "~": "retry", "&": "start", "@": "await" };
const STARTS = /^(?:[$~&@] |-- |# )/;

/** What the lines under a command say it prints; `\` at the start of a line takes the rest as it is. */
function expectation(lines: readonly string[]): Pick<Step, "stdout" | "stderr" | "code"> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  let code = 0;
  for (const line of trimBlank(lines)) {
    if (line.startsWith("! ")) stderr.push(line.slice(2));
    else if (/^\? \d+$/.test(line)) code = Number(line.slice(2));
    else stdout.push(line.startsWith("\\") ? line.slice(1) : line);
  }
  return { stdout, stderr, code };
}

/** Without the blank lines at the end. */
function trimBlank(lines: readonly string[]): string[] {
  const kept = [...lines];
  while (kept.length > 0 && kept.at(-1)?.trim() === "") kept.pop();
  return kept;
}

function stepOf(line: string, number: number, output: readonly string[]): Step {
  const kind = MARKS[line.slice(0, 1)] ?? "run";
  const rest = line.slice(2).trim();
  const named = kind === "start" || kind === "await";
  const [name = ""] = named ? rest.split(" ", 1) : [""];
  return {
    type: "step",
    kind,
    name,
    command: named ? rest.slice(name.length).trim() : rest,
    line: number,
    ...expectation(output),
  };
}

/** Reads the text of a script. */
export function parseScript(text: string): Script {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? "";
    const start = at;
    at++;
    if (line.startsWith("-- ")) {
      while (at < lines.length && lines[at] !== "--") at++;
      if (at === lines.length) throw new Error(`line ${start + 1}: the file ${line.slice(3)} has no end: a line "--"`);
      const content = lines.slice(start + 1, at).map((each) => `${each}\n`);
      blocks.push({ type: "file", path: line.slice(3).trim(), content: content.join("") });
      at++;
    } else if (/^[$~&@] /.test(line)) {
      while (at < lines.length && !STARTS.test(lines[at] ?? "")) at++;
      blocks.push(stepOf(line, start + 1, lines.slice(start + 1, at)));
    } else {
      while (at < lines.length && !/^(?:[$~&@] |-- )/.test(lines[at] ?? "")) at++;
      const text = trimBlank(lines.slice(start, at));
      if (text.length > 0) blocks.push({ type: "text", lines: text });
    }
  }
  return { blocks };
}

function renderStep(step: Step): string[] {
  const mark = Object.entries(MARKS).find(([, kind]) => kind === step.kind)?.[0] ?? "$";
  const command = [mark, step.name, step.command].filter((part) => part !== "").join(" ");
  const escaped = step.stdout.map((line) => (/^(?:[$~&@!?] |-- |# |\\)/.test(line) ? `\\${line}` : line));
  return [
    command,
    ...escaped,
    ...step.stderr.map((line) => `! ${line}`),
    ...(step.code === 0 ? [] : [`? ${step.code}`]),
  ];
}

/** The text of a script, in the form that `parseScript` reads. */
export function renderScript(script: Script): string {
  const parts = script.blocks.map((block) => {
    if (block.type === "text") return block.lines.join("\n");
    if (block.type === "file") return `-- ${block.path}\n${block.content}--`;
    return renderStep(block).join("\n");
  });
  return `${parts.join("\n\n")}\n`;
}
