import { errors } from "../errors.ts";
import { parseDataType } from "./data-type.ts";
import { backticked } from "./table-definition.ts";
import type {
  CheckDefinition,
  ColumnDefinition,
  DefaultValue,
  ForeignKeyDefinition,
  IndexDefinition,
  TableDefinition,
} from "./table-definition.ts";
import { parseTableName, type TableName } from "./table-reference.ts";
import type { Translation } from "./translation.ts";

/** What a CREATE TABLE or an ALTER TABLE gathers; lists that may be added to. */
export interface TableDraft {
  columns: ColumnDefinition[];
  indexes: IndexDefinition[];
  foreignKeys: ForeignKeyDefinition[];
  checks: CheckDefinition[];
  comment?: string;
}

export interface CreateTable {
  readonly kind: "createTable";
  readonly table: TableName;
  readonly temporary: boolean;
  readonly ifNotExists: boolean;
  readonly source:
    | { readonly kind: "definition"; readonly draft: TableDraft }
    | { readonly kind: "like"; readonly table: TableName }
    | { readonly kind: "query"; readonly sql: string; readonly columns: readonly ColumnDefinition[] };
}

/** A table definition that names everything, checked for what MySQL refuses. */
export function finishTable(name: string, draft: TableDraft): TableDefinition {
  const seen = new Set<string>();
  for (const column of draft.columns) {
    const key = column.name.toLowerCase();
    if (seen.has(key)) throw errors.duplicateColumn(column.name);
    seen.add(key);
  }
  if (draft.indexes.filter((index) => index.kind === "primary").length > 1) throw errors.multiplePrimaryKeys();
  const indexes = named(draft.indexes);
  for (const index of indexes) {
    for (const column of index.columns) if (!seen.has(column.toLowerCase())) throw errors.keyColumnMissing(column);
  }
  const auto = draft.columns.filter((column) => column.autoIncrement);
  const keyed = auto.every((column) =>
    indexes.some((index) => index.columns[0]?.toLowerCase() === column.name.toLowerCase()),
  );
  if (auto.length > 1 || !keyed) throw errors.wrongAutoKey();
  const primary =
    indexes.find((index) => index.kind === "primary")?.columns.map((column) => column.toLowerCase()) ?? [];
  const order = { primary: 0, unique: 1, index: 2 };
  return {
    kind: "table",
    name,
    columns: draft.columns.map((column) =>
      primary.includes(column.name.toLowerCase()) ? { ...column, nullable: false } : column,
    ),
    indexes: indexes.toSorted((a, b) => order[a.kind] - order[b.kind]),
    foreignKeys: draft.foreignKeys.map((key, index) =>
      key.name === "" ? { ...key, name: `${name}_ibfk_${index + 1}` } : key,
    ),
    checks: draft.checks.map((check, index) =>
      check.name === "" ? { ...check, name: `${name}_chk_${index + 1}` } : check,
    ),
    ...(draft.comment !== undefined && { comment: draft.comment }),
  };
}

/** Indexes without a name are named after their first column. */
function named(indexes: readonly IndexDefinition[]): IndexDefinition[] {
  const names = new Set<string>();
  return indexes.map((index) => {
    let { name } = index;
    if (index.kind === "primary") name = "PRIMARY";
    else if (name === "") {
      const base = index.columns[0] ?? "index";
      name = base;
      for (let number = 2; names.has(name.toLowerCase()); number++) name = `${base}_${number}`;
    } else if (names.has(name.toLowerCase())) throw errors.duplicateKeyName(name);
    names.add(name.toLowerCase());
    return { ...index, name };
  });
}

/** CREATE TABLE, after CREATE [TEMPORARY]. */
export function parseCreateTable(translation: Translation, temporary: boolean): CreateTable {
  const { cursor } = translation;
  cursor.expect("TABLE");
  const ifNotExists = cursor.take("IF", "NOT", "EXISTS");
  const table = parseTableName(translation);
  const base = { kind: "createTable", table, temporary, ifNotExists } as const;
  if (cursor.take("LIKE")) return { ...base, source: { kind: "like", table: parseTableName(translation) } };
  if (cursor.take("(", "LIKE")) {
    const like = parseTableName(translation);
    cursor.expect(")");
    return { ...base, source: { kind: "like", table: like } };
  }
  const draft: TableDraft = { columns: [], indexes: [], foreignKeys: [], checks: [] };
  if (cursor.at("(") && !cursor.at("(", "SELECT")) {
    cursor.parenthesised(() => cursor.list(() => tableElement(translation, draft)));
  }
  tableOptions(translation, draft);
  const hasQuery = cursor.take("AS") || cursor.atAny("SELECT", "WITH", "(");
  if (!hasQuery) return { ...base, source: { kind: "definition", draft } };
  if (draft.columns.length > 0) throw errors.notSupported("CREATE TABLE … (columns) … SELECT");
  const query = translation.nested(() => translation.query());
  const columns = query.columns.map((column) => ({
    name: column.name,
    type: queryColumnType(column.type().code, column.type().decimals),
    nullable: true,
  }));
  return { ...base, source: { kind: "query", sql: query.sql, columns } };
}

function queryColumnType(code: number, decimals: number): ColumnDefinition["type"] {
  const names: Readonly<Record<number, string>> = {
    3: "int",
    8: "bigint",
    5: "double",
    10: "date",
    11: "time",
    12: "datetime",
    7: "timestamp",
  };
  if (code === 246) return { name: "decimal", length: 65, scale: decimals };
  return { name: names[code] ?? "text" };
}

/** One column, key or constraint. */
export function tableElement(translation: Translation, draft: TableDraft): void {
  const { cursor } = translation;
  if (cursor.atAny("FULLTEXT", "SPATIAL")) throw errors.notSupported(`${cursor.peek().upper} index`);
  if (cursor.atAny("KEY", "INDEX")) {
    cursor.next();
    draft.indexes.push(indexElement(translation, "index"));
    return;
  }
  const constraint = cursor.take("CONSTRAINT")
    ? cursor.atAny("PRIMARY", "UNIQUE", "FOREIGN", "CHECK")
      ? ""
      : cursor.identifier()
    : undefined;
  if (cursor.take("PRIMARY", "KEY")) {
    draft.indexes.push({ ...indexElement(translation, "primary"), name: "PRIMARY" });
  } else if (cursor.take("UNIQUE")) {
    cursor.takeAny("KEY", "INDEX");
    const index = indexElement(translation, "unique");
    draft.indexes.push({ ...index, name: index.name === "" ? (constraint ?? "") : index.name });
  } else if (cursor.take("FOREIGN", "KEY")) draft.foreignKeys.push(foreignKey(translation, constraint ?? ""));
  else if (cursor.take("CHECK")) draft.checks.push(check(translation, constraint ?? ""));
  else if (constraint === undefined) draft.columns.push(columnDefinition(translation, draft));
  else throw cursor.error();
}

/** An index's optional name, its columns and its options. */
function indexElement(translation: Translation, kind: IndexDefinition["kind"]): IndexDefinition {
  const { cursor } = translation;
  const name = cursor.at("(") || cursor.at("USING") ? "" : cursor.identifier();
  indexOptions(translation);
  const columns = keyColumns(translation);
  indexOptions(translation);
  return { name, kind, columns };
}

function indexOptions(translation: Translation): void {
  const { cursor } = translation;
  for (;;) {
    if (cursor.take("USING")) cursor.identifier();
    else if (cursor.take("COMMENT")) cursor.string();
    else if (cursor.take("KEY_BLOCK_SIZE")) {
      cursor.take("=");
      cursor.integer();
    } else if (cursor.takeAny("VISIBLE", "INVISIBLE") === undefined) return;
  }
}

export function keyColumns(translation: Translation): string[] {
  const { cursor } = translation;
  return cursor.parenthesised(() =>
    cursor.list(() => {
      if (cursor.at("(")) throw errors.notSupported("an index over an expression");
      const name = cursor.identifier();
      if (cursor.at("(")) cursor.parenthesised(() => cursor.integer());
      cursor.takeAny("ASC", "DESC");
      return name;
    }),
  );
}

function foreignKey(translation: Translation, name: string): ForeignKeyDefinition {
  const { cursor } = translation;
  if (!cursor.at("(")) cursor.identifier();
  const columns = keyColumns(translation);
  return { name, columns, ...references(translation) };
}

function references(translation: Translation): Omit<ForeignKeyDefinition, "name" | "columns"> {
  const { cursor, environment } = translation;
  cursor.expect("REFERENCES");
  const table = parseTableName(translation);
  if (table.database !== environment.database) throw errors.notSupported("a foreign key to another database");
  const found: { onDelete?: string; onUpdate?: string } = {};
  const columns = keyColumns(translation);
  if (cursor.take("MATCH")) cursor.identifier();
  while (cursor.take("ON")) {
    const event = cursor.takeAny("DELETE", "UPDATE");
    const action = ["CASCADE", "RESTRICT", "SET NULL", "NO ACTION", "SET DEFAULT"].find((each) =>
      cursor.take(...each.split(" ")),
    );
    if (event === undefined || action === undefined) throw cursor.error();
    if (event === "DELETE") found.onDelete = action;
    else found.onUpdate = action;
  }
  return { table: table.name, references: columns, ...found };
}

/** An expression that is stored with the table: both in MySQL's words and translated. */
function storedExpression(translation: Translation): { text: string; sqlite: string } {
  const { cursor } = translation;
  translation.stored = true;
  const first = cursor.peek();
  const { sql } = translation.expression();
  translation.stored = false;
  return { text: cursor.sql.slice(first.start, cursor.lastEnd), sqlite: sql };
}

function check(translation: Translation, name: string): CheckDefinition {
  const { cursor } = translation;
  const { text, sqlite } = cursor.parenthesised(() => storedExpression(translation));
  if (!cursor.take("NOT", "ENFORCED")) cursor.take("ENFORCED");
  return { name, text: `(${text})`, sqlite };
}

interface ColumnDraft {
  nullable: boolean;
  autoIncrement?: boolean;
  default?: DefaultValue;
  onUpdateNow?: boolean;
  comment?: string;
  generated?: ColumnDefinition["generated"];
}

/** A column with its attributes; keys among them go to the draft. */
export function columnDefinition(translation: Translation, draft: TableDraft): ColumnDefinition {
  const { cursor } = translation;
  const name = cursor.identifier();
  const serial = cursor.at("SERIAL");
  const type = parseDataType(cursor);
  const column: ColumnDraft = { nullable: true };
  if (serial) {
    Object.assign(column, { nullable: false, autoIncrement: true });
    draft.indexes.push({ name: "", kind: "unique", columns: [name] });
  }
  while (columnAttribute(translation, draft, name, column)) continue;
  return { name, type, ...column };
}

function columnAttribute(translation: Translation, draft: TableDraft, name: string, column: ColumnDraft): boolean {
  const { cursor } = translation;
  if (cursor.take("NOT", "NULL")) column.nullable = false;
  else if (cursor.take("NULL")) column.nullable = true;
  else if (cursor.take("AUTO_INCREMENT")) Object.assign(column, { autoIncrement: true, nullable: false });
  else if (cursor.take("PRIMARY", "KEY") || cursor.take("KEY")) {
    draft.indexes.push({ name: "PRIMARY", kind: "primary", columns: [name] });
    column.nullable = false;
  } else if (cursor.take("UNIQUE")) {
    cursor.take("KEY");
    draft.indexes.push({ name: "", kind: "unique", columns: [name] });
  } else if (cursor.take("DEFAULT")) column.default = defaultValue(translation);
  else if (cursor.take("ON", "UPDATE")) {
    currentTimestamp(translation);
    column.onUpdateNow = true;
  } else if (cursor.take("COMMENT")) column.comment = cursor.string();
  else if (cursor.take("COLLATE")) cursor.nameOrString();
  else if (cursor.at("REFERENCES")) references(translation);
  else if (cursor.at("CHECK") || cursor.at("CONSTRAINT")) {
    const constraint = cursor.take("CONSTRAINT") && !cursor.at("CHECK") ? cursor.identifier() : "";
    cursor.expect("CHECK");
    draft.checks.push(check(translation, constraint));
  } else if (cursor.at("GENERATED") || cursor.at("AS")) {
    cursor.take("GENERATED", "ALWAYS");
    cursor.expect("AS");
    const expression = cursor.parenthesised(() => storedExpression(translation));
    column.generated = { ...expression, stored: cursor.takeAny("VIRTUAL", "STORED") === "STORED" };
  } else return cursor.takeAny("VISIBLE") !== undefined;
  return true;
}

function currentTimestamp(translation: Translation): boolean {
  const { cursor } = translation;
  if (cursor.takeAny("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP") === undefined) return false;
  if (cursor.take("(")) {
    if (!cursor.at(")")) cursor.integer();
    cursor.expect(")");
  }
  return true;
}

function defaultValue(translation: Translation): DefaultValue {
  const { cursor } = translation;
  if (cursor.take("NULL")) return { kind: "null" };
  if (currentTimestamp(translation))
    return { kind: "expression", text: "CURRENT_TIMESTAMP", sqlite: "CURRENT_TIMESTAMP" };
  if (cursor.at("(")) {
    const { text, sqlite } = cursor.parenthesised(() => storedExpression(translation));
    return { kind: "expression", text: `(${text})`, sqlite };
  }
  const minus = cursor.take("-") ? "-" : "";
  const token = cursor.next();
  if (token.kind === "number" || token.kind === "string") return { kind: "literal", text: minus + token.value };
  if (token.upper === "TRUE" || token.upper === "FALSE")
    return { kind: "literal", text: token.upper === "TRUE" ? "1" : "0" };
  if (token.kind === "bytes") return { kind: "literal", text: String(BigInt(`0x${token.value}`)) };
  throw cursor.error(token);
}

/** ENGINE=… and what else may follow a table; only COMMENT means something here. */
export function tableOptions(translation: Translation, draft: { comment?: string }): void {
  const { cursor } = translation;
  for (;;) {
    cursor.take(",");
    if (cursor.at("PARTITION", "BY")) throw errors.notSupported("PARTITION BY");
    cursor.take("DEFAULT");
    if (!OPTIONS.has(cursor.peek().upper)) return;
    const option = cursor.next().upper;
    if (option === "CHARACTER") cursor.expect("SET");
    if (option === "DATA" || option === "INDEX") cursor.expect("DIRECTORY");
    cursor.take("=");
    const value = cursor.next();
    if (option === "COMMENT") draft.comment = value.value;
    if (option === "ENGINE" && !/^(innodb|myisam|memory|aria)$/i.test(value.value)) {
      throw errors.notSupported(`ENGINE = ${backticked(value.value)}`);
    }
  }
}

const OPTIONS = new Set(
  (
    "ENGINE AUTO_INCREMENT AVG_ROW_LENGTH CHARACTER CHARSET CHECKSUM COLLATE COMMENT COMPRESSION DATA DELAY_KEY_WRITE " +
    "ENCRYPTION INDEX INSERT_METHOD KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS PACK_KEYS ROW_FORMAT STATS_AUTO_RECALC STATS_PERSISTENT " +
    "STATS_SAMPLE_PAGES"
  ).split(" "),
);
