/** Functions over texts that go by characters: positions, parts, case, splitting and joining. */
import { fault } from "./kinds.ts";
import type { Registry } from "./functions.ts";

/** Whether all characters are of one unit, so that positions in the text are those of its characters. */
const isPlain = (text: string): boolean => !/[\ud800-\udfff]/.test(text);

/** Something whose characters have positions: the text itself where it can be. */
type Characters = string | readonly string[];
const characters = (text: string): Characters => (isPlain(text) ? text : Array.from(text));
const part = (of: Characters, from: number, to?: number): string =>
  typeof of === "string" ? of.slice(from, to) : of.slice(from, to).join("");

const outOfRange = (at: bigint): never => fault(`index out of range: ${at}`);

function charAt(text: string, at: bigint): string {
  const all = characters(text);
  return at < 0n || at > BigInt(all.length) ? outOfRange(at) : (all[Number(at)] ?? "");
}

function substring(text: string, from: bigint, to?: bigint): string {
  const all = characters(text);
  const isOut = (at: bigint): boolean => at < 0n || at > BigInt(all.length);
  if (to !== undefined && from > to) return fault(`invalid substring range. start: ${from}, end: ${to}`);
  if (isOut(from)) return outOfRange(from);
  if (to !== undefined && isOut(to)) return outOfRange(to);
  return part(all, Number(from), to === undefined ? undefined : Number(to));
}

function matchesAt(all: readonly string[], wanted: readonly string[], at: number): boolean {
  return wanted.every((character, i) => all[at + i] === character);
}

function indexOf(text: string, wanted: string, from = 0n): bigint {
  if (wanted === "") return from;
  if (from < 0n) return outOfRange(from);
  if (isPlain(text)) return from >= BigInt(text.length) ? -1n : BigInt(text.indexOf(wanted, Number(from)));
  const [all, part] = [Array.from(text), Array.from(wanted)];
  for (let i = Number(from); i <= all.length - part.length; i++) if (matchesAt(all, part, i)) return BigInt(i);
  return -1n;
}

function lastIndexOf(text: string, wanted: string, from?: bigint): bigint {
  const all = Array.from(text);
  if (wanted === "") return from ?? BigInt(all.length);
  if (from !== undefined && from < 0n) return outOfRange(from);
  if (from !== undefined && from >= BigInt(all.length)) return -1n;
  const part = Array.from(wanted);
  const last = Math.min(from === undefined ? all.length : Number(from), all.length - part.length);
  for (let i = last; i >= 0; i--) if (matchesAt(all, part, i)) return BigInt(i);
  return -1n;
}

function replace(text: string, from: string, to: string, limit: bigint): string {
  if (limit < 0n) return from === "" ? surround(text, to, Infinity) : text.replaceAll(from, () => to);
  if (from === "") return surround(text, to, Number(limit));
  const parts = text.split(from);
  const kept = Math.min(Number(limit), parts.length - 1);
  return (
    parts.slice(0, kept + 1).join(to) +
    parts
      .slice(kept + 1)
      .map((rest) => from + rest)
      .join("")
  );
}

/** Where nothing is to be replaced, something is put around every character. */
function surround(text: string, by: string, limit: number): string {
  const all = Array.from(text);
  return all.map((character, i) => (i < limit ? by + character : character)).join("") + (all.length < limit ? by : "");
}

function split(text: string, by: string, limit: bigint): string[] {
  if (limit === 0n) return [];
  const parts = by === "" ? Array.from(text) : text.split(by);
  if (limit < 0n || parts.length <= limit) return parts;
  const kept = Number(limit) - 1;
  return [...parts.slice(0, kept), parts.slice(kept).join(by)];
}

const join = (list: readonly unknown[], by: string): string =>
  list.map((item) => (typeof item === "string" ? item : fault(`join: invalid input: ${String(item)}`))).join(by);

const lower = (text: string): string => text.replace(/[A-Z]+/g, (part) => part.toLowerCase());
const upper = (text: string): string => text.replace(/[a-z]+/g, (part) => part.toUpperCase());

/** What Go takes for white space, which is not quite what JavaScript does. */
const SPACE = "[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const ENDS = new RegExp(`^${SPACE}|${SPACE}$`, "g");

/** Those that the engine's checker knows by itself. */
export function addTexts(to: Registry): void {
  to.registerFunction("string.substring(int): string", substring);
  to.registerFunction("string.substring(int, int): string", substring);
  to.registerFunction("string.indexOf(string): int", (text: string, wanted: string) => indexOf(text, wanted));
  to.registerFunction("string.indexOf(string, int): int", indexOf);
  to.registerFunction("string.lastIndexOf(string): int", (text: string, wanted: string) => lastIndexOf(text, wanted));
  to.registerFunction("string.lastIndexOf(string, int): int", lastIndexOf);
  to.registerFunction("string.split(string): list<string>", (text: string, by: string) => split(text, by, -1n));
  to.registerFunction("string.split(string, int): list<string>", split);
  to.registerFunction("list.join(): string", (list: readonly unknown[]) => join(list, ""));
  to.registerFunction("list.join(string): string", join);
  to.registerFunction("string.lowerAscii(): string", lower);
  to.registerFunction("string.upperAscii(): string", upper);
  to.registerFunction("string.trim(): string", (text: string) => text.replace(ENDS, ""));
}

/** Those that it does not. */
export function addMoreTexts(to: Registry): void {
  to.registerFunction("string.charAt(int): string", charAt);
  to.registerFunction("string.replace(string, string): string", (text: string, from: string, by: string) =>
    replace(text, from, by, -1n),
  );
  to.registerFunction("string.replace(string, string, int): string", replace);
}
