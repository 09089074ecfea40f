/** The functions that expressions can call, by name and by what they take; found by what is given when it is given. */
import type { CelType, ScalarKind } from "./sizes.ts";
import { kindOf, nameKind, noOverload } from "./kinds.ts";

export type Handler = (...args: never[]) => unknown;

export interface Overload {
  /** Kinds of what it takes, its receiver first; `dyn` for any. */
  readonly takes: readonly string[];
  readonly result: CelType;
  readonly run: (...args: unknown[]) => unknown;
}

/** Where libraries say what they have; the checker of types is one such place. */
export interface Registry {
  registerFunction(signature: string, handler: Handler): Registry;
  registerType(name: string, type: unknown): Registry;
  registerConstant(name: string, type: string, value: unknown): Registry;
  /** Says that values of a type can be compared. */
  registerOperator(signature: string): Registry;
}

const SHORT: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": "timestamp",
  "google.protobuf.Duration": "duration",
};
const KINDS: Readonly<Record<string, ScalarKind>> = {
  "kubernetes.Quantity": "quantity",
  "kubernetes.Semver": "semver",
  "kubernetes.NamedFormat": "format",
  "net.URL": "url",
  "net.IP": "ip",
  "net.CIDR": "cidr",
};
const SCALARS: ReadonlySet<string> = new Set(
  "string bytes int uint double bool timestamp duration null type".split(" "),
);
const DYN: CelType = { kind: "dyn" };

/** `list<int>` → `list`; letters stand for anything. */
function kindNamed(type: string): string {
  const name = type.trim().replace(/<.*$/, "");
  return /^[A-Z]$/.test(name) ? "dyn" : (SHORT[name] ?? name);
}

/** The type that a signature names. */
export function typeNamed(type: string): CelType {
  const [, name = "", inner = ""] = /^([\w.]+)(?:<(.*)>)?$/.exec(type.trim()) ?? [];
  const kind = SHORT[name] ?? name;
  if (kind === "list") return { kind: "list", element: inner === "" ? DYN : typeNamed(inner) };
  if (kind === "map") {
    const [key = "dyn", element = "dyn"] = splitTypes(inner);
    return { kind: "map", key: typeNamed(key), element: typeNamed(element) };
  }
  if (kind === "optional") return { kind: "optional", of: inner === "" ? DYN : typeNamed(inner) };
  if (SCALARS.has(kind)) return { kind: kind as ScalarKind };
  return { kind: KINDS[kind] ?? (kind.startsWith("kubernetes.authorization") ? "authorizer" : "dyn") };
}

function splitTypes(list: string): string[] {
  const out: string[] = [];
  let [depth, from] = [0, 0];
  for (let i = 0; i <= list.length; i++) {
    const at = list[i];
    if (at === "<") depth++;
    else if (at === ">") depth--;
    else if ((at === "," && depth === 0) || at === undefined) {
      if (list.slice(from, i).trim() !== "") out.push(list.slice(from, i));
      from = i + 1;
    }
  }
  return out;
}

const SIGNATURE = /^(?:(.+)\.)?([@\w]+)\((.*)\): (.+)$/;

export class FunctionTable implements Registry {
  readonly #members = new Map<string, Overload[]>();
  readonly #globals = new Map<string, Overload[]>();
  /** Words such as `sets` in `sets.contains`, by the type that stands for them. */
  readonly #spaces = new Map<string, { readonly name: string; readonly value: unknown }>();
  readonly #constants = new Set<string>();

  registerFunction(signature: string, handler: Handler): this {
    const [, receiver, name = "", params = "", result = "dyn"] = SIGNATURE.exec(signature) ?? [];
    const run = handler as Overload["run"];
    const space = receiver === undefined ? undefined : this.#spaces.get(receiver);
    const takes = splitTypes(params).map(kindNamed);
    if (space !== undefined) {
      const bound = (...args: unknown[]): unknown => run(space.value, ...args);
      this.#add(this.#globals, `${space.name}.${name}`, { takes, result: typeNamed(result), run: bound });
    } else if (receiver === undefined) this.#add(this.#globals, name, { takes, result: typeNamed(result), run });
    else {
      const all = [kindNamed(receiver), ...takes];
      this.#add(this.#members, name, { takes: all, result: typeNamed(result), run });
    }
    return this;
  }

  registerType(name: string, type: unknown): this {
    nameKind(typeof type === "object" && type !== null && "ctor" in type ? type.ctor : type, name);
    return this;
  }

  registerConstant(name: string, type: string, value: unknown): this {
    this.#spaces.set(type, { name, value });
    this.#constants.add(name);
    return this;
  }

  /** All values can be compared here. */
  registerOperator(): this {
    return this;
  }

  #add(to: Map<string, Overload[]>, name: string, overload: Overload): void {
    const listed = to.get(name);
    if (listed === undefined) to.set(name, [overload]);
    else listed.push(overload);
  }

  /** Those of a name that take as many. */
  find(name: string, member: boolean, arity: number): readonly Overload[] {
    return ((member ? this.#members : this.#globals).get(name) ?? []).filter(({ takes }) => takes.length === arity);
  }

  has(name: string): boolean {
    return this.#globals.has(name) || this.#members.has(name);
  }
}

/** Registers what a library has in several places at once. */
export function inAll(...places: readonly Registry[]): Registry {
  const each = (tell: (place: Registry) => unknown): Registry => {
    places.forEach(tell);
    return all;
  };
  const all: Registry = {
    registerFunction: (signature, handler) => each((place) => place.registerFunction(signature, handler)),
    registerType: (name, type) => each((place) => place.registerType(name, type)),
    registerConstant: (name, type, value) => each((place) => place.registerConstant(name, type, value)),
    registerOperator: (signature) => each((place) => place.registerOperator(signature)),
  };
  return all;
}

const accepts = ({ takes }: Overload, args: readonly unknown[]): boolean =>
  takes.every((kind, i) => kind === "dyn" || kind === kindOf(args[i]));

/** Calls the first of several that takes what is given. */
export function dispatch(overloads: readonly Overload[], args: readonly unknown[]): unknown {
  for (const overload of overloads) if (accepts(overload, args)) return overload.run(...args);
  return noOverload();
}
