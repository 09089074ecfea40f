/** Which field of a struct a protobuf number means; built once a struct. */
import type { Field, StructNode } from "../node.ts";

export type Step =
  | {
      readonly number: number;
      readonly kind: "field";
      readonly name: string;
      readonly field: Field;
      /** Written even when nobody set it. */
      readonly whenAbsent: boolean;
    }
  /** A message whose fields stand in the surrounding JSON object. */
  | { readonly number: number; readonly kind: "inline"; readonly struct: StructNode };

export interface MessagePlan {
  readonly byNumber: ReadonlyMap<number, Step>;
  /** Highest number first, as the writer wants them. */
  readonly descending: readonly Step[];
}

const plans = new WeakMap<StructNode, MessagePlan>();

export function messagePlan(node: StructNode): MessagePlan {
  const known = plans.get(node);
  if (known !== undefined) return known;
  const byNumber = new Map<number, Step>();
  for (const [name, field] of node.fields) {
    if (field.pb === undefined) continue;
    const whenAbsent = writtenWhenAbsent(field);
    byNumber.set(field.pb, { number: field.pb, kind: "field", name, field, whenAbsent });
  }
  for (const [number, struct] of node.inline ?? []) {
    if (struct.kind === "struct") byNumber.set(number, { number, kind: "inline", struct });
  }
  const plan = { byNumber, descending: [...byNumber.values()].sort((a, b) => b.number - a.number) };
  plans.set(node, plan);
  return plan;
}

/** Go writes what is no pointer even when nobody set it. */
function writtenWhenAbsent({ pointer, always, node }: Field): boolean {
  if (pointer === true) return false;
  if (always === true) return node.kind === "struct" || node.kind === "scalar" || node.kind === "any";
  return node.kind === "scalar" && ["string", "integer", "boolean", "number"].includes(node.type);
}
