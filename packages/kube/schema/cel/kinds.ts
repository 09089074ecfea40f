/** The values that expressions work with, what kind each is of, and how large it is. */

/** An error of evaluation, in the Go engine's words. */
export class CelFault extends Error {}

/** What a constant part of an expression ends with: told before anything runs. */
export class ProgramFault extends CelFault {}

export const fault = (text: string): never => {
  throw new CelFault(text);
};
export const noOverload = (): never => fault("no such overload");

/** Whole numbers are bigints, doubles are numbers; an unsigned number is one of these. */
export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A time, in nanoseconds since 1970. */
export class CelTime {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A length of time, in nanoseconds. */
export class CelDuration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A type as a value: what `type(x)` gives. */
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A value that may not be there. */
export class CelOptional {
  readonly #held: { readonly value: unknown } | undefined;
  private constructor(held: { readonly value: unknown } | undefined) {
    this.#held = held;
  }
  static readonly #nothing = new CelOptional(undefined);
  static of(value: unknown): CelOptional {
    return new CelOptional({ value });
  }
  static none(): CelOptional {
    return CelOptional.#nothing;
  }
  hasValue(): boolean {
    return this.#held !== undefined;
  }
  value(): unknown {
    return this.#held === undefined ? fault("optional.none() dereference") : this.#held.value;
  }
}

/** A struct of a schema: its fields, by the names that expressions know them by. */
export type Struct = Readonly<Record<string, unknown>>;

const CLASS_KINDS = new Map<unknown, string>([
  [Uint, "uint"],
  [CelTime, "timestamp"],
  [CelDuration, "duration"],
  [TypeValue, "type"],
  [CelOptional, "optional"],
  [Map, "map"],
  [Object, "map"],
  [Uint8Array, "bytes"],
  [Buffer, "bytes"],
]);

/** Makes a class a kind of its own. */
export function nameKind(type: unknown, kind: string): void {
  CLASS_KINDS.set(type, kind);
}

/** The kind of a value, as signatures of functions call it. */
export function kindOf(value: unknown): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "boolean":
      return "bool";
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return "list";
      return CLASS_KINDS.get(value.constructor) ?? "map";
    default:
      return "null";
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  null: "null_type",
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  optional: "optional_type",
};

/** The name of a kind as `type(x)` shows it. */
export const typeNameOf = (value: unknown): string => {
  const kind = kindOf(value);
  return TYPE_NAMES[kind] ?? kind;
};

/** Lists whose order does not matter when they are compared: sets, and those whose items have a key. */
export type ListKeys = { readonly kind: "set" } | { readonly kind: "map"; readonly keys: readonly string[] };
const keysOfList = new WeakMap<readonly unknown[], ListKeys>();

export function keyList(list: readonly unknown[], keys: ListKeys): void {
  keysOfList.set(list, keys);
}
export const listKeys = (list: readonly unknown[]): ListKeys | undefined => keysOfList.get(list);

/** Something with a size of its own, e.g. the bytes of an address. */
export interface Sized {
  readonly celSize: number;
}

const isSized = (value: object): value is Sized => "celSize" in value;

/** Characters of a text, each as one, whatever it takes to write. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(i + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      length--;
      i++;
    }
  }
  return length;
}

/** How large a value is when costs are reckoned: 1 for what has no size. */
export function sizeOfValue(value: unknown): number {
  if (typeof value === "string") return lengthOf(value);
  if (typeof value !== "object" || value === null) return 1;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof Map) return value.size;
  if (value instanceof CelOptional) return value.hasValue() ? sizeOfValue(value.value()) : 1;
  if (value.constructor === Object) return Object.keys(value).length;
  return isSized(value) ? value.celSize : 1;
}

export const entriesOf = (map: unknown): Iterable<readonly [unknown, unknown]> =>
  map instanceof Map ? map : Object.entries(map as Struct);
export const keysOf = (map: unknown): unknown[] => (map instanceof Map ? [...map.keys()] : Object.keys(map as Struct));

/** Finds a key in a map; numbers of all types are one. `undefined` for what is not there. */
export function lookup(map: unknown, key: unknown): unknown {
  if (!(map instanceof Map))
    return typeof key === "string" && Object.hasOwn(map as Struct, key) ? (map as Struct)[key] : undefined;
  if (typeof key === "string" || typeof key === "boolean") return map.get(key);
  if (typeof key === "number") return Number.isInteger(key) ? lookup(map, BigInt(key)) : undefined;
  const whole = key instanceof Uint ? key.value : typeof key === "bigint" ? key : undefined;
  if (whole === undefined) return undefined;
  if (map.has(whole)) return map.get(whole) as unknown;
  for (const [one, value] of map) if (one instanceof Uint && one.value === whole) return value as unknown;
  return undefined;
}

/** The end of an evaluation, whatever stands around it: no `||` hides it, as it does an error. */
export class Cancelled extends Error {}

export class CostExceeded extends Cancelled {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
  }
}
