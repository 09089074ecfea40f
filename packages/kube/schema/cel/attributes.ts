/** Ways to values: a variable or the result of something, and the fields, keys and positions that follow. */
import type { Frame, Run } from "./frame.ts";
import { CelOptional, fault, kindOf, lookup, noOverload, typeNameOf, Uint } from "./kinds.ts";

export interface Qualifier {
  readonly key: Run;
  /** `.?` and `[?`: what is not there is no error. */
  readonly optional: boolean;
  /** Asks only whether it is there. */
  readonly test: boolean;
}

export type Attribute =
  | { readonly kind: "of"; readonly base: Run; readonly qualifiers: readonly Qualifier[] }
  | { readonly kind: "either"; readonly when: Run; readonly yes: Attribute; readonly no: Attribute };

export function extend(attribute: Attribute, qualifier: Qualifier): Attribute {
  if (attribute.kind === "of") return { ...attribute, qualifiers: [...attribute.qualifiers, qualifier] };
  return { ...attribute, yes: extend(attribute.yes, qualifier), no: extend(attribute.no, qualifier) };
}

/** Follows a way; each step of it costs one unit, the start nothing. */
export function resolver(attribute: Attribute): Run {
  if (attribute.kind === "either") {
    const [{ when }, yes, no] = [attribute, resolver(attribute.yes), resolver(attribute.no)];
    return (frame) => {
      const decided = when(frame);
      return decided === true ? yes(frame) : decided === false ? no(frame) : noOverload();
    };
  }
  const { base, qualifiers } = attribute;
  const [first] = qualifiers;
  if (first === undefined) return base;
  if (qualifiers.length === 1 && !first.optional && !first.test) return oneStep(base, first, qualifiers);
  return (frame) => follow(frame, base(frame), qualifiers);
}

/** The commonest way, `a.b` or `a[i]`. */
const oneStep =
  (base: Run, { key }: Qualifier, all: readonly Qualifier[]): Run =>
  (frame) => {
    const at = base(frame);
    if (at instanceof CelOptional) return follow(frame, at, all);
    const name = key(frame);
    frame.charge(1);
    return get(at, name);
  };

function follow(frame: Frame, start: unknown, qualifiers: readonly Qualifier[]): unknown {
  let at = start;
  let optional = false;
  if (at instanceof CelOptional) {
    if (!at.hasValue()) return at;
    at = at.value();
    optional = true;
  }
  for (const { key, optional: asks, test } of qualifiers) {
    optional ||= asks;
    const name = key(frame);
    if (!optional && !test) {
      frame.charge(1);
      at = get(at, name);
      continue;
    }
    const found = find(at, name);
    if (found !== undefined || test) frame.charge(1);
    if (test && !optional) return found !== undefined;
    if (found === undefined) return CelOptional.none();
    at = found;
  }
  return optional ? CelOptional.of(at) : at;
}

function keyText(key: unknown): string {
  if (key instanceof Uint) return String(key.value);
  return typeof key === "string" || typeof key === "bigint" || typeof key === "number" || typeof key === "boolean"
    ? String(key)
    : kindOf(key);
}

/** Whole numbers of all types are positions. */
function positionOf(key: unknown): number {
  if (typeof key === "bigint") return Number(key);
  if (typeof key === "number" && Number.isInteger(key)) return key;
  if (key instanceof Uint) return Number(key.value);
  if (typeof key === "number") return fault(`unsupported index value ${key} in list`);
  return fault(`unsupported index type '${typeNameOf(key)}' in list`);
}

function find(at: unknown, key: unknown): unknown {
  if (Array.isArray(at)) return at[positionOf(key)] as unknown;
  if (typeof key === "string" && at instanceof Map) return at.get(key) as unknown;
  return kindOf(at) === "map" ? lookup(at, key) : undefined;
}

function get(at: unknown, key: unknown): unknown {
  const found = find(at, key);
  if (found !== undefined) return found;
  return fault(Array.isArray(at) ? `index out of bounds: ${keyText(key)}` : `no such key: ${keyText(key)}`);
}
