import { errors } from "../errors.ts";
import type { SqlValue } from "../functions/definition.ts";
import type { ByteReader } from "./bytes.ts";
import { decodeText } from "./charset.ts";
import { FieldType } from "./constants.ts";

const F = FieldType;

export interface ParameterType {
  readonly code: number;
  readonly unsigned: boolean;
}

export interface ParameterRequest {
  readonly count: number;
  readonly types: readonly ParameterType[];
  /** Sent before by COM_STMT_SEND_LONG_DATA. */
  readonly longData: ReadonlyMap<number, Buffer>;
  readonly charset: string;
}

/** Reads COM_STMT_EXECUTE's values. Types are sent only when they are new. */
export function readParameters(
  reader: ByteReader,
  request: ParameterRequest,
): { values: SqlValue[]; types: readonly ParameterType[] } {
  if (request.count === 0) return { values: [], types: [] };
  const nulls = reader.bytes(Math.ceil(request.count / 8));
  let { types } = request;
  if (reader.uint8() === 1) {
    types = Array.from({ length: request.count }, () => {
      const code = reader.uint8();
      return { code, unsigned: (reader.uint8() & 0x80) !== 0 };
    });
  }
  const values = Array.from({ length: request.count }, (_none, index): SqlValue => {
    const long = request.longData.get(index);
    if (((nulls[index >> 3] ?? 0) & (1 << (index & 7))) !== 0) return null;
    const type = types[index];
    if (!type) throw errors.malformedPacket();
    if (long) return isBytes(type.code) ? long : decodeText(long, request.charset);
    return readValue(reader, type, request.charset);
  });
  return { values, types };
}

function isBytes(code: number): boolean {
  return code === F.BLOB || code === F.TINY_BLOB || code === F.MEDIUM_BLOB || code === F.LONG_BLOB;
}

function readValue(reader: ByteReader, { code, unsigned }: ParameterType, charset: string): SqlValue {
  switch (code) {
    case F.NULL:
      return null;
    case F.TINY:
      return BigInt(unsigned ? reader.uint8() : reader.int8());
    case F.SHORT:
    case F.YEAR:
      return BigInt(unsigned ? reader.uint16() : reader.int16());
    case F.INT24:
    case F.LONG:
      return BigInt(unsigned ? reader.uint32() : reader.int32());
    case F.LONGLONG:
      return BigInt.asIntN(64, unsigned ? reader.uint64() : reader.int64());
    case F.FLOAT:
      return wholeAsInteger(reader.float());
    case F.DOUBLE:
      return wholeAsInteger(reader.double());
    case F.DATE:
    case F.DATETIME:
    case F.TIMESTAMP:
      return readDate(reader);
    case F.TIME:
      return readTime(reader);
    default: {
      const bytes = reader.lengthEncodedBytes();
      if (isBytes(code)) return bytesOrText(bytes, charset);
      return decodeText(bytes, charset);
    }
  }
}

/** Some clients send every number as a double; a whole one is meant as an integer. */
function wholeAsInteger(value: number): SqlValue {
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** Text is often sent as a blob; only what is no text stays bytes. */
function bytesOrText(bytes: Buffer, charset: string): SqlValue {
  const text = decodeText(bytes, charset);
  return text.includes("\0") || !Buffer.from(text).equals(bytes) ? bytes : text;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function micros(value: number): string {
  return value === 0 ? "" : `.${String(value).padStart(6, "0")}`;
}

function readDate(reader: ByteReader): string {
  const length = reader.uint8();
  if (![0, 4, 7, 11].includes(length)) throw errors.malformedPacket();
  if (length === 0) return "0000-00-00 00:00:00";
  const date = `${String(reader.uint16()).padStart(4, "0")}-${two(reader.uint8())}-${two(reader.uint8())}`;
  if (length === 4) return date;
  const time = `${two(reader.uint8())}:${two(reader.uint8())}:${two(reader.uint8())}`;
  return `${date} ${time}${length === 11 ? micros(reader.uint32()) : ""}`;
}

function readTime(reader: ByteReader): string {
  const length = reader.uint8();
  if (![0, 8, 12].includes(length)) throw errors.malformedPacket();
  if (length === 0) return "00:00:00";
  const sign = reader.uint8() === 1 ? "-" : "";
  const hours = reader.uint32() * 24 + reader.uint8();
  const rest = `${two(reader.uint8())}:${two(reader.uint8())}`;
  return `${sign}${two(hours)}:${rest}${length === 12 ? micros(reader.uint32()) : ""}`;
}
