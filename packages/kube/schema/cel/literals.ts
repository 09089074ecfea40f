/** Faults of what is written out in an expression, which Go's compiler tells once the types are right. */
import type { EngineNode } from "./evaluation.ts";
import { typeText } from "./issues.ts";
import { parseDuration, parseTime } from "./time.ts";
import { compilePattern } from "../pattern.ts";

export interface LiteralFault {
  readonly position: number;
  readonly text: string;
}

/** A node with what the checker left there. */
interface Checked extends EngineNode {
  readonly start: number;
  readonly checkedType?: { readonly name: string; readonly kind: string };
}

const isNode = (value: unknown): value is Checked =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

/** Where Go marks a part: calls by their parenthesis. */
const placeOf = (node: Checked & { readonly input?: string }): number =>
  node.op === "call" ? Math.max((node.input ?? "").indexOf("(", node.start), node.start) : node.start;

const children = (node: Checked): Checked[] => {
  const flat = (value: unknown): Checked[] =>
    isNode(value) ? [value] : Array.isArray(value) ? value.flatMap(flat) : [];
  return flat(node.args);
};

const textOf = (node: unknown): string | undefined =>
  isNode(node) && node.op === "value" && typeof node.args === "string" ? node.args : undefined;

/** The first fault of literals in what was parsed and checked. */
export function literalFault(ast: unknown): LiteralFault | undefined {
  return isNode(ast) ? (argumentFault(ast) ?? formatFault(ast) ?? mixtureFault(ast)) : undefined;
}

function firstOf(
  nodes: readonly Checked[],
  find: (node: Checked) => LiteralFault | undefined,
): LiteralFault | undefined {
  for (const node of nodes) {
    const fault = find(node);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Texts that are no duration, time or pattern where one is asked for. */
function argumentFault(node: Checked): LiteralFault | undefined {
  const within = firstOf(children(node), argumentFault);
  if (within !== undefined) return within;
  const [name, argument] = callOf(node);
  const text = textOf(argument);
  if (text === undefined || !isNode(argument)) return undefined;
  const wrong =
    (name === "duration" && parseDuration(text) === undefined) ||
    (name === "timestamp" && parseTime(text) === undefined) ||
    (name === "matches" && typeof compilePattern(text) === "string");
  return wrong ? { position: argument.start, text: `invalid ${name} argument` } : undefined;
}

/** `duration(x)`, `timestamp(x)` and `y.matches(x)`. */
function callOf(node: Checked): readonly [string, unknown] {
  if (node.op !== "call" && node.op !== "rcall") return ["", undefined];
  const args = node.args as readonly unknown[];
  const operands = args.at(-1) as readonly unknown[];
  const [name] = args as readonly [string];
  const fits = operands.length === 1 && (node.op === "rcall") === (name === "matches");
  return fits ? [name, operands[0]] : ["", undefined];
}

/** Lists and maps whose entries are of several types; what `format` is given may be. */
function mixtureFault(node: Checked): LiteralFault | undefined {
  if (node.op === "rcall" && (node.args as readonly unknown[])[0] === "format") return undefined;
  const within = firstOf(children(node), mixtureFault);
  if (within !== undefined) return within;
  if (node.op === "list") return mixture(node.args as readonly Checked[]);
  if (node.op !== "map") return undefined;
  const entries = node.args as readonly (readonly [Checked, Checked])[];
  return mixture(entries.map(([key]) => key)) ?? mixture(entries.map(([, value]) => value));
}

function mixture([first, ...others]: readonly Checked[]): LiteralFault | undefined {
  const wanted = first?.checkedType?.name;
  if (wanted === undefined || !isCertain(wanted)) return undefined;
  return firstOf(others, (other) =>
    other.checkedType === undefined || other.checkedType.name === wanted || !isCertain(other.checkedType.name)
      ? undefined
      : {
          position: placeOf(other),
          text: `expected type '${typeText(wanted)}' but found '${typeText(other.checkedType.name)}'`,
        },
  );
}

/** Types of which nothing is left open. */
const isCertain = (type: string): boolean => !/dyn|optional|\b[A-Z]\b|kubernetes\./.test(type);

const CLAUSE = /%(?:%|(?:\.\d+)?([a-zA-Z]?))/g;
const ACCEPTED: Readonly<Record<string, readonly [clause: string, kinds: string, words: string]>> = {
  d: ["decimal", "int uint", "integers"],
  f: ["fixed-point", "double string", "doubles"],
  e: ["scientific", "double string", "doubles"],
  x: ["hex", "int uint string bytes", "integers, byte buffers, and strings"],
  X: ["hex", "int uint string bytes", "integers, byte buffers, and strings"],
  o: ["octal", "int uint", "integers"],
  b: ["binary", "int uint bool", "integers and bools"],
};

/** A template that does not fit the list that it is given. */
function formatFault(node: Checked): LiteralFault | undefined {
  const within = firstOf(children(node), formatFault);
  if (within !== undefined || node.op !== "rcall") return within;
  const [name, target, [list]] = node.args as readonly [string, unknown, readonly unknown[]];
  const template = textOf(target);
  if (name !== "format" || template === undefined || !isNode(target) || !isNode(list) || list.op !== "list")
    return undefined;
  return clausesFault(template, list.args as readonly Checked[], (node as Checked & { input?: string }).input ?? "", {
    from: target.start,
    list: list.start,
  });
}

function clausesFault(
  template: string,
  items: readonly Checked[],
  input: string,
  at: { readonly from: number; readonly list: number },
): LiteralFault | undefined {
  // Go marks the parenthesis of the call.
  const call = Math.max(input.lastIndexOf("(", at.list), at.from);
  const verbs = [...template.matchAll(CLAUSE)].flatMap(([whole, verb = ""]) => (whole === "%%" ? [] : [verb]));
  for (const [i, verb] of verbs.entries()) {
    const item = items[i];
    if (item === undefined) return { position: call, text: `index ${i} out of range` };
    const [clause, kinds, words] = ACCEPTED[verb] ?? [];
    if (clause === undefined && verb !== "s")
      return {
        position: call,
        text: `could not parse formatting clause: unrecognized formatting clause ${JSON.stringify(verb)}`,
      };
    const type = item.checkedType?.name ?? "dyn";
    if (kinds === undefined || type === "dyn" || kinds.split(" ").includes(type)) continue;
    const text = `error during formatting: ${clause} clause can only be used on ${words}, was given ${typeText(type).replace(/\(.*/, "")}`;
    return { position: placeOf(item), text };
  }
  if (items.length <= verbs.length) return undefined;
  const text = `too many arguments supplied to string.format (expected ${verbs.length}, got ${items.length})`;
  return { position: call, text };
}
