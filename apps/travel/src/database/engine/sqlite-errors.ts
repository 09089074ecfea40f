import { errors, MySqlError } from "../errors.ts";
import { columnNamed, type TableDefinition } from "../sql/table-definition.ts";

/** What is known of the statement that failed. */
export interface FailureContext {
  readonly columnClauses: ReadonlyMap<string, string>;
  readonly write?: {
    readonly verb: "insert" | "replace" | "update" | "delete";
    readonly table: TableDefinition;
    readonly columns: readonly string[] | undefined;
  };
  /** Finds the values that are there already, for a unique key's columns. */
  readonly duplicate?: (columns: readonly string[]) => string;
}

interface SqliteError extends Error {
  readonly errcode: number;
}

const BUSY = 5;
const BUSY_SNAPSHOT = 517;

export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

/** Whether another session holds the lock, so that trying again can help. */
export function isBusy(error: unknown): boolean {
  return (
    isSqliteError(error) &&
    ((error.errcode & 0xff) === BUSY || (error.errcode & 0xff) === 6) &&
    error.errcode !== BUSY_SNAPSHOT
  );
}

type Rule = readonly [RegExp, (match: RegExpExecArray, context: FailureContext) => MySqlError];

const RULES: readonly Rule[] = [
  [/^no such column: (.+)$/, (match, context) => unknownColumn(plainName(match[1] ?? ""), context)],
  [/^ambiguous column name: (.+)$/, (match, context) => ambiguousColumn(plainName(match[1] ?? ""), context)],
  [/^no such table: (?:db_)?([^.]+)\.(.+)$/, (match) => errors.noSuchTable(match[1] ?? "", match[2] ?? "")],
  [/^no such table: (.+)$/, (match) => new MySqlError(1051, "42S02", `Unknown table '${match[1]}'`)],
  [/^UNIQUE constraint failed: (.+)$/, (match, context) => duplicateEntry(match[1] ?? "", context)],
  [/^NOT NULL constraint failed: .*\.([^.]+)$/, (match, context) => missingValue(match[1] ?? "", context)],
  [
    /^CHECK constraint failed: mysql (\d+) (.+)$/s,
    (match, context) => typeViolation(Number(match[1]), match[2] ?? "", context),
  ],
  [/^CHECK constraint failed: (.+)$/s, (match) => errors.checkViolated(match[1] ?? "")],
  [/^FOREIGN KEY constraint failed/, (_match, context) => foreignKey(context)],
  [/^foreign key mismatch/, () => new MySqlError(1215, "HY000", "Cannot add foreign key constraint")],
  [/^misuse of (?:aggregate|window)/, () => errors.groupFunction()],
  [/values were supplied|values for \d+ columns|has \d+ columns but/, () => errors.columnCount()],
  [
    /do not have the same number of result columns/,
    () => new MySqlError(1222, "21000", "The used SELECT statements have a different number of columns"),
  ],
  [/sub-select returns \d+ columns/, () => new MySqlError(1241, "21000", "Operand should contain 1 column(s)")],
  [/row value misused/, () => new MySqlError(1241, "21000", "Operand should contain 1 column(s)")],
  [/integer overflow/, () => new MySqlError(1690, "22003", "BIGINT value is out of range")],
  [/database or disk is full/, () => errors.diskFull()],
  [/database table is locked/, () => errors.lockWait()],
];

/** SQLite's error in MySQL's terms. */
export function translateSqliteError(error: unknown, context: FailureContext): MySqlError {
  if (error instanceof MySqlError) return error;
  if (!isSqliteError(error)) return errors.internal(error instanceof Error ? error.message : String(error));
  if (error.errcode === BUSY_SNAPSHOT) return errors.deadlock();
  if (isBusy(error)) return errors.lockWait();
  for (const [pattern, build] of RULES) {
    const match = pattern.exec(error.message);
    if (match) return build(match, context);
  }
  return errors.internal(error.message.replaceAll(/\bdb_(?=\w+\.)/g, ""));
}

/** A column as the statement named it: without quotes and without our schema's prefix. */
function plainName(name: string): string {
  return name
    .replaceAll('"', "")
    .replace(/^db_/, "")
    .replace(/ - should this be.*$/s, "");
}

function unknownColumn(name: string, context: FailureContext): MySqlError {
  return errors.unknownColumn(name, context.columnClauses.get(name.toLowerCase()) ?? "field list");
}

function ambiguousColumn(name: string, context: FailureContext): MySqlError {
  return errors.ambiguousColumn(name, context.columnClauses.get(name.toLowerCase()) ?? "field list");
}

function duplicateEntry(list: string, context: FailureContext): MySqlError {
  const table = context.write?.table;
  const columns = list.split(", ").map((name) => name.replace(/^.*\./, ""));
  const index = table?.indexes.find(
    (each) =>
      each.kind !== "index" && each.columns.map((name) => name.toLowerCase()).join() === columns.join().toLowerCase(),
  );
  const key = `${table?.name ?? ""}.${index?.name ?? columns[0] ?? ""}`;
  return errors.duplicateEntry(context.duplicate?.(columns) ?? "", key);
}

function missingValue(column: string, context: FailureContext): MySqlError {
  const given = context.write?.columns;
  const isGiven = given === undefined || given.some((name) => name.toLowerCase() === column.toLowerCase());
  return isGiven ? errors.columnNull(column) : errors.fieldNoDefault(column);
}

function typeViolation(code: number, column: string, context: FailureContext): MySqlError {
  const table = context.write?.table;
  const type = (table && columnNamed(table, column)?.type.name) ?? "value";
  switch (code) {
    case 1264:
      return errors.outOfRange(column);
    case 1265:
      return new MySqlError(1265, "01000", `Data truncated for column '${column}' at row 1`);
    case 1292:
      return new MySqlError(1292, "22007", `Incorrect ${type} value for column '${column}' at row 1`);
    case 1406:
      return errors.dataTooLong(column);
    case 3140:
      return new MySqlError(3140, "22032", `Invalid JSON text in value for column '${table?.name ?? ""}.${column}'.`);
    default:
      return errors.incorrectValue(["decimal", "double", "float"].includes(type) ? type : "integer", column);
  }
}

function foreignKey(context: FailureContext): MySqlError {
  return context.write && ["insert", "replace"].includes(context.write.verb)
    ? errors.childRow()
    : foreignKeyChange(context);
}

/** An UPDATE may break a key in either role: the table that has keys of its own is taken for the child. */
function foreignKeyChange({ write }: FailureContext): MySqlError {
  return write?.verb === "update" && write.table.foreignKeys.length > 0 ? errors.childRow() : errors.parentRow();
}
