import type { SqlValue } from "../functions/definition.ts";
import type { ValueType } from "../sql/value-type.ts";
import type { ByteWriter } from "./bytes.ts";
import { encodeText } from "./charset.ts";
import { FieldType } from "./constants.ts";

const F = FieldType;

/** A double as MySQL prints it: like JavaScript, with `e` only from 1e15 on. */
function doubleText(value: number, single: boolean): string {
  if (!single) return String(value).replace("e+", "e");
  return String(Number(value.toPrecision(6))).replace("e+", "e");
}

/** A decimal with exactly its type's digits. */
function decimalText(value: SqlValue, decimals: number): string {
  if (typeof value === "bigint") return decimals > 0 ? `${value}.${"0".repeat(decimals)}` : String(value);
  const number = Number(value);
  if (!Number.isFinite(number)) return String(value);
  if (Math.abs(number) >= 1e21) return BigInt(number).toString();
  // Halves are rounded away from zero; toFixed alone would see 0.145 as a little less.
  const nudged = number + Math.sign(number) * Math.abs(number) * Number.EPSILON;
  return nudged.toFixed(Math.min(decimals, 30));
}

function bitBytes(value: SqlValue, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(Math.round(Number(value)))));
  return bytes.subarray(8 - Math.ceil(Math.max(1, length) / 8));
}

/** The value's bytes in a text row. */
export function textValue(value: Exclude<SqlValue, null>, type: ValueType, charset: string): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  switch (type.code) {
    case F.NEWDECIMAL:
      return Buffer.from(decimalText(value, type.decimals));
    case F.DOUBLE:
    case F.FLOAT:
      return Buffer.from(typeof value === "number" ? doubleText(value, type.code === F.FLOAT) : String(value));
    case F.BIT:
      return bitBytes(value, type.length);
    case F.TINY:
    case F.SHORT:
    case F.INT24:
    case F.LONG:
    case F.LONGLONG:
    case F.YEAR:
      return Buffer.from(typeof value === "number" ? String(Math.round(value)) : String(value));
    default:
      return encodeText(typeof value === "number" ? doubleText(value, false) : String(value), charset);
  }
}

function integer(value: Exclude<SqlValue, null>): bigint {
  if (typeof value === "bigint") return value;
  const number = Math.round(Number(value));
  return Number.isFinite(number) ? BigInt(number) : 0n;
}

/** Writes the value as a binary row has it. */
export function writeBinaryValue(
  writer: ByteWriter,
  value: Exclude<SqlValue, null>,
  type: ValueType,
  charset: string,
): void {
  switch (type.code) {
    case F.TINY:
      writer.uint8(Number(BigInt.asUintN(8, integer(value))));
      return;
    case F.SHORT:
    case F.YEAR:
      writer.uint16(Number(BigInt.asUintN(16, integer(value))));
      return;
    case F.INT24:
    case F.LONG:
      writer.uint32(Number(BigInt.asUintN(32, integer(value))));
      return;
    case F.LONGLONG:
      writer.int64(integer(value));
      return;
    case F.FLOAT:
      writer.float(Number(value));
      return;
    case F.DOUBLE:
      writer.double(Number(value));
      return;
    case F.DATE:
    case F.DATETIME:
    case F.TIMESTAMP:
      writeDate(writer, String(value));
      return;
    case F.TIME:
      writeTime(writer, String(value));
      return;
    default:
      writer.lengthEncodedBytes(textValue(value, type, charset));
  }
}

function writeDate(writer: ByteWriter, text: string): void {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?)?/.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (match ?? [])
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const micros = Number((match?.[7] ?? "").padEnd(6, "0"));
  const hasTime = hour + minute + second + micros > 0;
  writer
    .uint8(micros > 0 ? 11 : hasTime ? 7 : 4)
    .uint16(year)
    .uint8(month)
    .uint8(day);
  if (hasTime) writer.uint8(hour).uint8(minute).uint8(second);
  if (micros > 0) writer.uint32(micros);
}

function writeTime(writer: ByteWriter, text: string): void {
  const match = /^(-?)(\d+):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?/.exec(text);
  const hours = Number(match?.[2] ?? 0);
  const micros = Number((match?.[5] ?? "").padEnd(6, "0"));
  writer
    .uint8(micros > 0 ? 12 : 8)
    .uint8(match?.[1] === "-" ? 1 : 0)
    .uint32(Math.floor(hours / 24));
  writer
    .uint8(hours % 24)
    .uint8(Number(match?.[3] ?? 0))
    .uint8(Number(match?.[4] ?? 0));
  if (micros > 0) writer.uint32(micros);
}
