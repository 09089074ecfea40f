import type { SqlValue } from "../functions/definition.ts";
import { text } from "../sql/value-type.ts";
import type { ResultColumn } from "../wire/result-packets.ts";

/** What a statement leads to. */
export type Outcome =
  | { readonly kind: "done"; readonly affectedRows: bigint; readonly lastInsertId: bigint; readonly info: string }
  | { readonly kind: "rows"; readonly columns: readonly ResultColumn[]; readonly rows: Iterable<readonly SqlValue[]> };

export function done(affectedRows: bigint | number = 0n, lastInsertId = 0n, info = ""): Outcome {
  return { kind: "done", affectedRows: BigInt(affectedRows), lastInsertId, info };
}

/** Rows made by the server itself, with columns given as names or names with types. */
export function table(columns: readonly (string | ResultColumn)[], rows: Iterable<readonly SqlValue[]>): Outcome {
  return {
    kind: "rows",
    columns: columns.map((column) => (typeof column === "string" ? { name: column, type: text(255) } : column)),
    rows,
  };
}
