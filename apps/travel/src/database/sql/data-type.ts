import { charsetNamed, collationNamed } from "../wire/charset.ts";
import { CHARSET_BINARY, CHARSET_UTF8MB4, FieldFlag, FieldType } from "../wire/constants.ts";
import { errors } from "../errors.ts";
import type { TokenCursor } from "./token-cursor.ts";
import type { ValueType } from "./value-type.ts";

/** The type of a table's column, as it was declared. */
export interface DataType {
  readonly name: string;
  readonly length?: number;
  readonly scale?: number;
  readonly unsigned?: boolean;
  readonly zerofill?: boolean;
  readonly collation?: string;
  /** Of an enum or a set. */
  readonly values?: readonly string[];
}

type Family = "integer" | "decimal" | "real" | "text" | "bytes" | "temporal" | "choice" | "json" | "bit";

interface TypeRow {
  readonly family: Family;
  readonly code: number;
  /** Bytes at most for texts and blobs, display width for numbers and dates. */
  readonly size: number;
  readonly bits?: number;
}

const F = FieldType;
const TYPES: Readonly<Record<string, TypeRow>> = {
  tinyint: { family: "integer", code: F.TINY, size: 4, bits: 8 },
  smallint: { family: "integer", code: F.SHORT, size: 6, bits: 16 },
  mediumint: { family: "integer", code: F.INT24, size: 9, bits: 24 },
  int: { family: "integer", code: F.LONG, size: 11, bits: 32 },
  bigint: { family: "integer", code: F.LONGLONG, size: 20, bits: 64 },
  year: { family: "integer", code: F.YEAR, size: 4, bits: 16 },
  bit: { family: "bit", code: F.BIT, size: 1 },
  decimal: { family: "decimal", code: F.NEWDECIMAL, size: 10 },
  float: { family: "real", code: F.FLOAT, size: 12 },
  double: { family: "real", code: F.DOUBLE, size: 22 },
  char: { family: "text", code: F.STRING, size: 1 },
  varchar: { family: "text", code: F.VAR_STRING, size: 255 },
  tinytext: { family: "text", code: F.BLOB, size: 255 },
  text: { family: "text", code: F.BLOB, size: 65535 },
  mediumtext: { family: "text", code: F.BLOB, size: 16777215 },
  longtext: { family: "text", code: F.BLOB, size: 4294967295 },
  binary: { family: "bytes", code: F.STRING, size: 1 },
  varbinary: { family: "bytes", code: F.VAR_STRING, size: 255 },
  tinyblob: { family: "bytes", code: F.BLOB, size: 255 },
  blob: { family: "bytes", code: F.BLOB, size: 65535 },
  mediumblob: { family: "bytes", code: F.BLOB, size: 16777215 },
  longblob: { family: "bytes", code: F.BLOB, size: 4294967295 },
  date: { family: "temporal", code: F.DATE, size: 10 },
  time: { family: "temporal", code: F.TIME, size: 10 },
  datetime: { family: "temporal", code: F.DATETIME, size: 19 },
  timestamp: { family: "temporal", code: F.TIMESTAMP, size: 19 },
  enum: { family: "choice", code: F.STRING, size: 1 },
  set: { family: "choice", code: F.STRING, size: 1 },
  json: { family: "json", code: F.JSON, size: 4294967295 },
};

const ALIASES: Readonly<Record<string, string>> = {
  integer: "int",
  int1: "tinyint",
  int2: "smallint",
  int3: "mediumint",
  int4: "int",
  int8: "bigint",
  middleint: "mediumint",
  numeric: "decimal",
  dec: "decimal",
  fixed: "decimal",
  real: "double",
  float4: "float",
  float8: "double",
  character: "char",
  nchar: "char",
  nvarchar: "varchar",
};

function row(type: DataType): TypeRow {
  const known = TYPES[type.name];
  if (!known) throw errors.notSupported(`data type ${type.name}`);
  return known;
}

export function familyOf(type: DataType): Family {
  return row(type).family;
}

/** Whether comparisons of this column ignore case. */
export function ignoresCase(type: DataType): boolean {
  const { family } = row(type);
  if (family !== "text" && family !== "choice") return false;
  return type.collation === undefined || !/_bin$|^binary$/.test(type.collation);
}

/** Reads a column's type with its attributes. */
export function parseDataType(cursor: TokenCursor): DataType {
  const start = cursor.peek();
  let name = cursor.identifier().toLowerCase();
  if (name === "bool" || name === "boolean") return { name: "tinyint", length: 1 };
  if (name === "serial") return { name: "bigint", unsigned: true };
  if (name === "double") cursor.take("PRECISION");
  if (name === "national") name = cursor.identifier().toLowerCase();
  if ((name === "char" || name === "character") && cursor.take("VARYING")) name = "varchar";
  name = ALIASES[name] ?? name;
  if (!TYPES[name]) {
    if (/^(geometry|point|linestring|polygon|multi\w+|geometrycollection)$/.test(name)) {
      throw errors.notSupported(`data type ${name}`);
    }
    throw cursor.error(start);
  }
  const size = typeSize(cursor, name);
  return withDefaults({ name, ...size, ...typeAttributes(cursor) });
}

function typeSize(cursor: TokenCursor, name: string): Partial<DataType> {
  if (!cursor.take("(")) return {};
  if (name === "enum" || name === "set") {
    const values = cursor.list(() => cursor.string());
    cursor.expect(")");
    return { values };
  }
  const length = cursor.integer();
  const scale = cursor.take(",") ? cursor.integer() : undefined;
  cursor.expect(")");
  return scale === undefined ? { length } : { length, scale };
}

function typeAttributes(cursor: TokenCursor): Partial<DataType> {
  const found: { unsigned?: boolean; zerofill?: boolean; collation?: string } = {};
  for (;;) {
    if (cursor.take("UNSIGNED")) found.unsigned = true;
    else if (cursor.take("SIGNED")) continue;
    else if (cursor.take("ZEROFILL")) Object.assign(found, { zerofill: true, unsigned: true });
    else if (cursor.take("BINARY")) found.collation = "utf8mb4_bin";
    else if (cursor.take("CHARACTER", "SET") || cursor.take("CHARSET")) {
      const charset = cursor.nameOrString();
      const known = charsetNamed(charset);
      if (!known) throw errors.notSupported(`character set ${charset}`);
      if (known.name !== "utf8mb4") found.collation ??= known.collation;
    } else if (cursor.take("COLLATE")) {
      const collation = cursor.nameOrString().toLowerCase();
      if (!collationNamed(collation)) throw errors.notSupported(`collation ${collation}`);
      found.collation = collation;
    } else return found;
  }
}

function withDefaults(type: DataType): DataType {
  if (type.name === "decimal") return { ...type, length: type.length ?? 10, scale: type.scale ?? 0 };
  if (["char", "binary", "bit"].includes(type.name)) return { ...type, length: type.length ?? 1 };
  if (["varchar", "varbinary"].includes(type.name) && type.length === undefined) return { ...type, length: 255 };
  return type;
}

/** The type as SHOW COLUMNS prints it. */
export function describeType(type: DataType): string {
  const { family } = row(type);
  let size = "";
  if (type.values) size = `(${type.values.map((value) => `'${value.replaceAll("'", "''")}'`).join(",")})`;
  else if (type.scale !== undefined) size = `(${type.length},${type.scale})`;
  else if (family === "integer") size = type.name === "tinyint" && type.length === 1 ? "(1)" : "";
  else if (type.length !== undefined) size = `(${type.length})`;
  return `${type.name}${size}${type.unsigned ? " unsigned" : ""}${type.zerofill ? " zerofill" : ""}`;
}

/** The declared type for SQLite, chosen by the affinity it gives. */
export function sqliteType(type: DataType): string {
  switch (row(type).family) {
    case "integer":
    case "bit":
      return "INTEGER";
    case "decimal":
      return "NUMERIC";
    case "real":
      return "REAL";
    case "bytes":
      return "BLOB";
    default:
      return "TEXT";
  }
}

/** The least and greatest integer, for an integer type. */
export function integerRange(type: DataType): readonly [bigint, bigint] | undefined {
  const { bits } = row(type);
  if (bits === undefined || type.name === "year") return undefined;
  if (type.unsigned) return bits === 64 ? [0n, (1n << 63n) - 1n] : [0n, (1n << BigInt(bits)) - 1n];
  return [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n];
}

/** The longest value: characters for texts, bytes for blobs. */
export function maximumLength(type: DataType): number | undefined {
  const { family, size } = row(type);
  if (family !== "text" && family !== "bytes") return undefined;
  return type.length ?? size;
}

/** How a result's column of this type is described; the column's own flags are added by the caller. */
export function valueTypeOf(type: DataType): ValueType {
  const { family, code, size } = row(type);
  const binary = { collation: CHARSET_BINARY, decimals: 0 };
  const unsigned = type.unsigned ? FieldFlag.UNSIGNED : 0;
  const zerofill = type.zerofill ? FieldFlag.ZEROFILL : 0;
  const numeric = FieldFlag.NUMERIC | unsigned | zerofill;
  switch (family) {
    case "integer":
      return { code, length: type.length ?? size, flags: numeric, ...binary };
    case "bit":
      return { code, length: type.length ?? 1, flags: FieldFlag.UNSIGNED, ...binary };
    case "decimal": {
      const scale = type.scale ?? 0;
      const length = (type.length ?? 10) + (scale > 0 ? 1 : 0) + (type.unsigned ? 0 : 1);
      return { code, length, flags: numeric, collation: CHARSET_BINARY, decimals: scale };
    }
    case "real":
      return { code, length: size, flags: numeric, collation: CHARSET_BINARY, decimals: type.scale ?? 31 };
    case "temporal": {
      const fraction = type.length ?? 0;
      const length = size + (fraction > 0 ? fraction + 1 : 0);
      const stamp = type.name === "timestamp" ? FieldFlag.TIMESTAMP : 0;
      return { code, length, flags: FieldFlag.BINARY | stamp, collation: CHARSET_BINARY, decimals: fraction };
    }
    case "json":
      return { code, length: size, flags: FieldFlag.BINARY | FieldFlag.BLOB, ...binary };
    case "bytes": {
      const blob = code === F.BLOB ? FieldFlag.BLOB : 0;
      return { code, length: type.length ?? size, flags: FieldFlag.BINARY | blob, ...binary };
    }
    default:
      return textType(type, code, size);
  }
}

function textType(type: DataType, code: number, size: number): ValueType {
  const collation = collationNamed(type.collation ?? "")?.id ?? CHARSET_UTF8MB4;
  const longest = Math.max(1, ...(type.values ?? []).map((value) => value.length));
  const characters = type.values ? longest : (type.length ?? size);
  const choice = type.name === "enum" ? FieldFlag.ENUM : type.name === "set" ? FieldFlag.SET : 0;
  const blob = code === F.BLOB ? FieldFlag.BLOB : 0;
  return { code, length: Math.min(characters * 4, 0xffffffff), decimals: 0, flags: choice | blob, collation };
}
