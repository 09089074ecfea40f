import type { MySqlError } from "../errors.ts";
import type { SqlValue } from "../functions/definition.ts";
import type { ColumnOrigin } from "../sql/translation.ts";
import type { ValueType } from "../sql/value-type.ts";
import { ByteWriter } from "./bytes.ts";
import { collationNamed, charsetNamed } from "./charset.ts";
import { CHARSET_BINARY } from "./constants.ts";
import { textValue, writeBinaryValue } from "./values.ts";

export interface ResultColumn {
  readonly name: string;
  readonly type: ValueType;
  readonly from?: ColumnOrigin | undefined;
}

export interface OkContent {
  readonly affectedRows: bigint | number;
  readonly lastInsertId: bigint | number;
  readonly status: number;
  readonly warnings: number;
  readonly info: string;
}

export function okPacket(content: OkContent): Buffer {
  return new ByteWriter(32)
    .uint8(0)
    .lengthEncoded(content.affectedRows)
    .lengthEncoded(content.lastInsertId)
    .uint16(content.status)
    .uint16(Math.min(content.warnings, 65535))
    .bytes(Buffer.from(content.info))
    .done();
}

export function eofPacket(status: number, warnings: number): Buffer {
  return new ByteWriter(8).uint8(0xfe).uint16(Math.min(warnings, 65535)).uint16(status).done();
}

export function errorPacket(error: MySqlError): Buffer {
  const state = Buffer.from(`#${error.state}`);
  return new ByteWriter(128).uint8(0xff).uint16(error.code).bytes(state).bytes(Buffer.from(error.message)).done();
}

export function columnCountPacket(count: number): Buffer {
  return new ByteWriter(9).lengthEncoded(count).done();
}

/** How a column is described; `fieldList` adds the default that COM_FIELD_LIST has. */
export function columnPacket(column: ResultColumn, charset: string, fieldList = false): Buffer {
  const { type, from } = column;
  // Text goes out in the client's character set, so that is what the column says.
  const isText = type.collation !== CHARSET_BINARY;
  const own = charsetNamed(charset)?.collation ?? "";
  const collation = isText && charset !== "utf8mb4" ? (collationNamed(own)?.id ?? type.collation) : type.collation;
  const writer = new ByteWriter(128)
    .lengthEncodedText("def")
    .lengthEncodedText(from?.database ?? "")
    .lengthEncodedText(from?.alias ?? "")
    .lengthEncodedText(from?.table ?? "")
    .lengthEncodedText(column.name)
    .lengthEncodedText(from?.column ?? "")
    .uint8(0x0c)
    .uint16(collation)
    .uint32(type.length)
    .uint8(type.code)
    .uint16(type.flags)
    .uint8(type.decimals)
    .zeros(2);
  if (fieldList) writer.uint8(0xfb);
  return writer.done();
}

export function textRowPacket(row: readonly SqlValue[], columns: readonly ResultColumn[], charset: string): Buffer {
  const writer = new ByteWriter(256);
  for (const [index, column] of columns.entries()) {
    const value = row[index] ?? null;
    if (value === null) writer.uint8(0xfb);
    else writer.lengthEncodedBytes(textValue(value, column.type, charset));
  }
  return writer.done();
}

export function binaryRowPacket(row: readonly SqlValue[], columns: readonly ResultColumn[], charset: string): Buffer {
  const nulls = Buffer.alloc(Math.floor((columns.length + 9) / 8));
  for (const index of columns.keys()) {
    const bit = index + 2;
    if ((row[index] ?? null) === null) nulls[bit >> 3] = (nulls[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  const writer = new ByteWriter(256).uint8(0).bytes(nulls);
  for (const [index, column] of columns.entries()) {
    const value = row[index] ?? null;
    if (value !== null) writeBinaryValue(writer, value, column.type, charset);
  }
  return writer.done();
}
