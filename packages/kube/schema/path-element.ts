/**
 * One step of a field path, in the text form FieldsV1 gives it: `f:name` a field, `k:{…}` the item of a
 * list with these keys, `v:…` the item of a set, `i:0` an index. Kept as text: it is compared far more
 * often than it is read.
 */

/** Go's encoder escapes these in the texts of keys and values. */
const HTML = /[<>&\u2028\u2029]/g;
const escapeHtml = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** JSON as Go writes it: `<`, `>` and `&` escaped. */
export function goJson(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replace(HTML, escapeHtml);
}

export type KeyValue = readonly [name: string, value: unknown];

/** `keys` sorted by name. */
export function keyElement(keys: readonly KeyValue[]): string {
  let text = "k:{";
  for (let i = 0; i < keys.length; i++) {
    const [name, value] = keys[i] as KeyValue;
    text += `${i === 0 ? "" : ","}${goJson(name)}:${goJson(value)}`;
  }
  return `${text}}`;
}

export const valueElement = (value: unknown): string => `v:${goJson(value)}`;

export type PathElement =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "key"; readonly keys: readonly KeyValue[] }
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "index"; readonly index: number };

const byName = (a: KeyValue, b: KeyValue): number => compareText(a[0], b[0]);

/** Reads an element; undefined when it is of a kind that is not known; throws `Error` when it is malformed. */
export function parseElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new Error("key must be 2 characters long:");
  if (text[1] !== ":") throw new Error(`missing colon: ${text}`);
  const rest = text.slice(2);
  switch (text[0]) {
    case "f":
      return { kind: "field", name: rest };
    case "v":
      return { kind: "value", value: JSON.parse(rest) };
    case "k": {
      const keys: unknown = JSON.parse(rest);
      if (typeof keys !== "object" || keys === null || Array.isArray(keys))
        throw new Error(`not an object of keys: ${text}`);
      return { kind: "key", keys: Object.entries(keys).sort(byName) };
    }
    case "i":
      if (!/^[+-]?\d+$/.test(rest)) throw new Error(`not an index: ${text}`);
      return { kind: "index", index: Number(rest) };
    default:
      return undefined;
  }
}

/** The canonical text of an element: keys sorted by name, JSON without spaces. */
export function elementText(element: PathElement): string {
  switch (element.kind) {
    case "field":
      return `f:${element.name}`;
    case "key":
      return keyElement(element.keys);
    case "value":
      return valueElement(element.value);
    case "index":
      return `i:${element.index}`;
  }
}

const shown = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** As conflicts print it: `.spec`, `[name="web"]`, `[="x"]`, `[0]`. */
export function printElement(text: string): string {
  if (text.startsWith("f:")) return `.${text.slice(2)}`;
  const element = parseElement(text);
  switch (element?.kind) {
    case "key":
      return `[${element.keys.map(([name, value]) => `${name}=${shown(value)}`).join(",")}]`;
    case "value":
      return `[=${shown(element.value)}]`;
    case "index":
      return `[${element.index}]`;
    default:
      return text;
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const rankOf = (value: unknown): number =>
  typeof value === "number" ? 0 : typeof value === "string" ? 1 : typeof value === "boolean" ? 2 : 3;

function compareScalars(a: unknown, b: unknown): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  return Number(a === true) - Number(b === true);
}

function compareKeys(a: readonly KeyValue[], b: readonly KeyValue[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [leftName, leftValue] = a[i] as KeyValue;
    const [rightName, rightValue] = b[i] as KeyValue;
    const order = compareText(leftName, rightName) || compareScalars(leftValue, rightValue);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Fields first, then keys, values, indices. */
const RANK: Readonly<Record<string, number>> = { ".": -1, f: 0, k: 1, v: 2, i: 3 };

/** The order of elements in a set. */
export function compareElements(a: string, b: string): number {
  const rank = (RANK[a[0] ?? ""] ?? 4) - (RANK[b[0] ?? ""] ?? 4);
  if (rank !== 0) return rank;
  if (a[0] === "f" || a === b) return compareText(a, b);
  const left = parseElement(a);
  const right = parseElement(b);
  if (left?.kind === "key" && right?.kind === "key") return compareKeys(left.keys, right.keys);
  if (left?.kind === "value" && right?.kind === "value") return compareScalars(left.value, right.value);
  if (left?.kind === "index" && right?.kind === "index") return left.index - right.index;
  return compareText(a, b);
}
