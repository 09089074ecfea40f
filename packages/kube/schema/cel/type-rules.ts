/** What is known of the types of parts of expressions. */
import type { CelType } from "./sizes.ts";

export const DYN: CelType = { kind: "dyn" };
export const optional = (of: CelType): CelType => ({ kind: "optional", of });

export function fieldType(type: CelType, field: string): CelType {
  switch (type.kind) {
    case "struct":
      return type.fields.get(field) ?? DYN;
    case "map":
      return type.element;
    case "optional":
      return fieldType(type.of, field);
    default:
      return DYN;
  }
}

export function elementType(type: CelType): CelType {
  if (type.kind === "list" || type.kind === "map") return type.element;
  return type.kind === "optional" ? elementType(type.of) : DYN;
}

export function common(types: readonly CelType[]): CelType {
  const [one = DYN, ...others] = types;
  return others.every(({ kind }) => kind === one.kind) ? one : DYN;
}
