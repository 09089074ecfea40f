/** Regular expressions, `format` and `strings.quote`. Expressions are RE2, as everywhere in Kubernetes. */
import type { Registry } from "./functions.ts";
import { fault } from "./kinds.ts";
import { format } from "./print.ts";
import { addMoreTexts } from "./texts.ts";
import { compilePattern, patternEngine } from "../pattern.ts";

function matches(text: string, pattern: string): boolean {
  const compiled = compilePattern(pattern);
  return typeof compiled === "string" ? fault(compiled) : compiled.test(text);
}

function findAll(text: string, pattern: string, limit: number): string[] {
  const compiled = compilePattern(pattern);
  if (typeof compiled === "string") return fault(compiled);
  const matcher = patternEngine().compile(pattern).matcher(text);
  const out: string[] = [];
  while ((limit < 0 || out.length < limit) && matcher.find()) out.push(matcher.group() ?? "");
  return out;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ["\\", "\\\\"],
  ['"', '\\"'],
]);

/** `strings.quote(text)`: as a literal that stands for it. */
const quote = (text: string): string =>
  `"${Array.from(text, (character) => ESCAPES.get(character) ?? character).join("")}"`;

class StringsNamespace {}

export function addStrings(to: Registry): void {
  addMoreTexts(to);
  to.registerFunction(
    "string.find(string): string",
    (text: string, pattern: string) => findAll(text, pattern, 1)[0] ?? "",
  );
  to.registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) =>
    findAll(text, pattern, -1),
  );
  to.registerFunction("string.findAll(string, int): list<string>", (text: string, pattern: string, limit: bigint) =>
    findAll(text, pattern, Number(limit)),
  );
  to.registerFunction("string.format(list): string", format);
  to.registerType("StringsNamespace", StringsNamespace as never);
  to.registerConstant("strings", "StringsNamespace", new StringsNamespace());
  to.registerFunction("StringsNamespace.quote(string): string", (_: unknown, text: string) => quote(text));
}

/** Both ways of asking whether a text matches. */
export function addMatches(to: Registry): void {
  to.registerFunction("string.matches(string): bool", matches);
  to.registerFunction("matches(string, string): bool", matches);
}
