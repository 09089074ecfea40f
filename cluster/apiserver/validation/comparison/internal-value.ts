/** An object as upstream's JSON of its internal form shows it: Go's field names in Go's order, nothing left out. */
import { readFileSync } from "node:fs";
import { isObject } from "@travelops/kube/schema/json-value";
import type { Fields } from "../fields.ts";

interface InternalField {
  /** Undefined for a struct that stands inline. */
  readonly name: string | undefined;
  readonly json: string;
  /** The field stands in the object around this one. */
  readonly around: boolean;
  readonly type: string;
}

let known: ReadonlyMap<string, readonly InternalField[]> | undefined;

function readField(text: string): InternalField {
  const [names = "", type = ""] = text.split(" ");
  if (names.startsWith("^")) return { name: undefined, json: names.slice(1), around: false, type };
  const [name = "", json = name.charAt(0).toLowerCase() + name.slice(1)] = names.split("=");
  return { name, json: json.replace(/^!/, ""), around: json.startsWith("!"), type };
}

/** Read when the first change is refused. */
function typesOf(): ReadonlyMap<string, readonly InternalField[]> {
  known ??= new Map(
    Object.entries(
      JSON.parse(readFileSync(new URL("internal-types.json", import.meta.url), "utf8")) as Record<string, string>,
    ).map(([type, fields]) => [type, fields.split(",").map(readField)]),
  );
  return known;
}

/** The order of fields in structs that keep their JSON names. */
const ORDER = [
  "matchLabels",
  "matchExpressions",
  "key",
  "operator",
  "values",
  "name",
  "generateName",
  "namespace",
].concat(
  ["selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"],
  ["deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"],
);
const rank = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Printed with one space a level, or without any. */
class Printer {
  readonly #indented: boolean;
  constructor(indented: boolean) {
    this.#indented = indented;
  }

  #inBrackets(open: string, close: string, parts: readonly string[], level: number): string {
    if (parts.length === 0) return open + close;
    if (!this.#indented) return open + parts.join(",") + close;
    const line = (depth: number): string => `\n${" ".repeat(depth)}`;
    return open + parts.map((part) => line(level + 1) + part).join(",") + line(level) + close;
  }

  #pair(key: string, value: string): string {
    return `${goString(key)}:${this.#indented ? " " : ""}${value}`;
  }

  print(type: string, value: unknown, around: Fields, level: number): string {
    const absent = value === undefined || value === null;
    if (type.startsWith("*")) return absent ? "null" : this.print(type.slice(1), value, around, level);
    if (type.startsWith("[]")) {
      if (!Array.isArray(value)) return "null";
      const items = value.map((item) => this.print(type.slice(2), item, {}, level + 1));
      return this.#inBrackets("[", "]", items, level);
    }
    if (type.startsWith("{}")) {
      if (!isObject(value)) return "null";
      const keys = Object.keys(value).sort(compare);
      const pairs = keys.map((key) => this.#pair(key, this.print(type.slice(2), value[key], {}, level + 1)));
      return this.#inBrackets("{", "}", pairs, level);
    }
    if (type === "x") return this.#external(absent ? {} : value, level);
    const zero = ZERO[type];
    if (zero !== undefined) return absent ? zero : goScalar(value);
    return this.#inBrackets("{", "}", this.#fields(type, isObject(value) ? value : {}, around, level), level);
  }

  #fields(type: string, value: Fields, around: Fields, level: number): string[] {
    return (typesOf().get(type) ?? []).flatMap((field) => {
      if (field.name !== undefined) {
        const holder = field.around ? around : value;
        // What clients leave out of a pod is there all the same.
        const type = field.name === "SecurityContext" ? field.type.replace("*Pod", "Pod") : field.type;
        return [this.#pair(field.name, this.print(type, holder[field.json], value, level + 1))];
      }
      if (field.json === "") return this.#fields(field.type, value, around, level);
      const inner = value[field.json];
      return isObject(inner) ? this.#externalPairs(inner, level) : [];
    });
  }

  #externalPairs(value: Fields, level: number): string[] {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined && value[key] !== null);
    keys.sort((a, b) => rank(a) - rank(b) || compare(a, b));
    return keys.map((key) => this.#pair(key, this.#external(value[key], level + 1)));
  }

  #external(value: unknown, level: number): string {
    if (Array.isArray(value))
      return this.#inBrackets(
        "[",
        "]",
        value.map((item) => this.#external(item, level + 1)),
        level,
      );
    return isObject(value) ? this.#inBrackets("{", "}", this.#externalPairs(value, level), level) : goScalar(value);
  }
}

/** What a field of a simple type holds when nobody set it. */
const ZERO: Readonly<Record<string, string>> = { s: '""', i: "0", b: "false", q: '"0"', t: "null", is: "0" };

const goString = (text: string): string =>
  JSON.stringify(text).replaceAll(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const goScalar = (value: unknown): string => (typeof value === "string" ? goString(value) : JSON.stringify(value));

/** `value`, of the internal `type` (`PodSpec`), on one line. */
export const internalText = (type: string, value: unknown): string => new Printer(false).print(type, value, {}, 0);

/** The same with a line for each field. */
export const internalLines = (type: string, value: unknown): string => new Printer(true).print(type, value, {}, 0);
