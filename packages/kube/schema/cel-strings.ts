/** Strings and regular expressions in rules. Expressions are RE2, as everywhere in Kubernetes. */
import type { Environment } from "@marcbachmann/cel-js";
import { compilePattern, patternEngine } from "./pattern.ts";

const fail = (text: string): never => {
  throw new Error(text);
};

function matches(text: string, pattern: string): boolean {
  const compiled = compilePattern(pattern);
  return typeof compiled === "string" ? fail(compiled) : compiled.test(text);
}

function findAll(text: string, pattern: string, limit: number): string[] {
  const compiled = compilePattern(pattern);
  if (typeof compiled === "string") return fail(compiled);
  const matcher = patternEngine().compile(pattern).matcher(text);
  const out: string[] = [];
  while ((limit < 0 || out.length < limit) && matcher.find()) out.push(matcher.group() ?? "");
  return out;
}

const charAt = (text: string, at: bigint): string => {
  const characters = Array.from(text);
  return at < 0n || at > BigInt(characters.length) ? fail(`index out of range: ${at}`) : (characters[Number(at)] ?? "");
};

function replace(text: string, from: string, to: string, limit: bigint): string {
  if (limit < 0n) return text.replaceAll(from, () => to);
  let out = text;
  let at = 0;
  for (let i = 0n; i < limit; i++) {
    const found = out.indexOf(from, at);
    if (found < 0) break;
    out = out.slice(0, found) + to + out.slice(found + from.length);
    at = found + to.length;
  }
  return out;
}

/** `"%s has %d".format([name, count])` */
function format(template: string, values: readonly unknown[]): string {
  let next = 0;
  return template.replace(
    /%(?:%|(?:\.(\d+))?([sdfxXobe]))/g,
    (whole, precision: string | undefined, verb: string | undefined) => {
      if (whole === "%%") return "%";
      if (next >= values.length) return fail(`index ${next} out of range`);
      return formatOne(values[next++], verb ?? "s", precision === undefined ? undefined : Number(precision));
    },
  );
}

/** Unsigned numbers have a class of their own in the engine. */
const plain = (value: unknown): unknown =>
  typeof value === "object" && value !== null && value.constructor.name === "UnsignedInt" && "value" in value
    ? value.value
    : value;

/** An exponent has two digits or more, as Go writes it. */
const scientific = (value: number, precision: number): string =>
  value.toExponential(precision).replace(/e([+-])(\d)$/, "e$10$2");

function formatOne(given: unknown, verb: string, precision: number | undefined): string {
  const value = plain(given);
  switch (verb) {
    case "d":
      return typeof value === "bigint" || typeof value === "number"
        ? String(value)
        : fail("decimal clause can only be used on integers");
    case "f":
      return typeof value === "number" || typeof value === "bigint"
        ? Number(value).toFixed(precision ?? 6)
        : fail("fixed-point clause can only be used on doubles");
    case "e":
      return typeof value === "number" || typeof value === "bigint"
        ? scientific(Number(value), precision ?? 6)
        : fail("scientific clause can only be used on doubles");
    case "x":
    case "X": {
      const hex =
        typeof value === "bigint"
          ? value.toString(16)
          : Buffer.from(value instanceof Uint8Array ? value : String(value)).toString("hex");
      return verb === "X" ? hex.toUpperCase() : hex;
    }
    case "o":
      return typeof value === "bigint" ? value.toString(8) : fail("octal clause can only be used on integers");
    case "b":
      return typeof value === "bigint"
        ? value.toString(2)
        : typeof value === "boolean"
          ? String(Number(value))
          : fail("binary clause can only be used on integers and bools");
    default:
      return show(value);
  }
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

function show(given: unknown): string {
  const value = plain(given);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => `${show(key)}: ${show(item)}`);
    return `{${entries.toSorted().join(", ")}}`;
  }
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, "Z");
  return String(value);
}

export function addStrings(env: Environment): void {
  env
    .registerFunction("string.re2Matches(string): bool", matches)
    .registerFunction("re2Matches(string, string): bool", matches)
    .registerFunction(
      "string.find(string): string",
      (text: string, pattern: string) => findAll(text, pattern, 1)[0] ?? "",
    )
    .registerFunction("string.findAll(string): list", (text: string, pattern: string) => findAll(text, pattern, -1))
    .registerFunction("string.findAll(string, int): list", (text: string, pattern: string, limit: bigint) =>
      findAll(text, pattern, Number(limit)),
    )
    .registerFunction("string.charAt(int): string", charAt)
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) =>
      replace(text, from, to, -1n),
    )
    .registerFunction("string.replace(string, string, int): string", replace)
    .registerFunction("string.format(list): string", format)
    .registerType("StringsNamespace", StringsNamespace)
    .registerConstant("strings", "StringsNamespace", new StringsNamespace())
    .registerFunction("StringsNamespace.quote(string): string", (_: unknown, text: string) => quote(text));
}
