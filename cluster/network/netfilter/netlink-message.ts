/** Netlink messages of nf_tables as bytes: attributes, expressions, batches. Only what the pods' network needs. */
import os from "node:os";

const little = os.endianness() === "LE";
const REQUEST = 1;
const ACK = 4;
const CREATE = 0x400;
const APPEND = 0x800;
const NF_TABLES = 10;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const NESTED = 0x8000;
/** NFPROTO_IPV4: what pods send each other is routed. */
const IPV4 = 2;

/** A number as the kernel has it in a register. */
export function hostNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  host32(bytes, value, 0);
  return bytes;
}

const host16 = (buffer: Buffer, value: number, at: number): void =>
  void (little ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at));
const host32 = (buffer: Buffer, value: number, at: number): void =>
  void (little ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at));

export function attribute(type: number, value: Buffer): Buffer {
  const size = 4 + value.length;
  const bytes = Buffer.alloc((size + 3) & ~3);
  host16(bytes, size, 0);
  host16(bytes, type, 2);
  value.copy(bytes, 4);
  return bytes;
}

/** Elements of a set of addresses, without an object for each of their parts: there may be thousands. */
export function addressElements(ranges: readonly { readonly from: number; readonly to: number }[]): Buffer[] {
  return ranges.flatMap(({ from, to }) =>
    to >= LAST_ADDRESS ? [addressElement(from, false)] : [addressElement(from, false), addressElement(to + 1, true)],
  );
}

const LAST_ADDRESS = 0xffffffff;
const INTERVAL_END = 1;

/** The element, its key, the key's value; and the flag that it is the first address beyond a range. */
function addressElement(address: number, end: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(end ? 24 : 16);
  host16(bytes, bytes.length, 0);
  host16(bytes, 1 | NESTED, 2);
  host16(bytes, 12, 4);
  host16(bytes, 1 | NESTED, 6);
  host16(bytes, 8, 8);
  host16(bytes, 1, 10);
  bytes.writeUInt32BE(address >>> 0, 12);
  if (!end) return bytes;
  host16(bytes, 8, 16);
  host16(bytes, 3, 18);
  bytes.writeUInt32BE(INTERVAL_END, 20);
  return bytes;
}

export const nested = (type: number, ...inner: readonly Buffer[]): Buffer =>
  attribute(type | NESTED, Buffer.concat(inner));
export const text = (type: number, value: string): Buffer => attribute(type, Buffer.from(`${value}\0`));

export function number(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return attribute(type, bytes);
}

function message(type: number, flags: number, family: number, resource: number, body: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(body);
  const head = Buffer.alloc(20);
  host32(head, head.length + payload.length, 0);
  host16(head, type, 4);
  host16(head, flags, 6);
  head[16] = family;
  head.writeUInt16BE(resource, 18);
  return Buffer.concat([head, payload]);
}

const COMMANDS = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  deleteChain: 5,
  newRule: 6,
  deleteRule: 8,
  newSet: 9,
  deleteSet: 11,
  newElements: 12,
  deleteElements: 14,
} as const;

/** One change of nf_tables. */
export function change(command: keyof typeof COMMANDS, ...body: readonly Buffer[]): Buffer {
  const code = COMMANDS[command];
  const flags = command.startsWith("new") ? CREATE | (command === "newRule" ? APPEND : 0) : 0;
  return message((NF_TABLES << 8) | code, REQUEST | flags, IPV4, 0, body);
}

/** All or none of `changes`, numbered so that a refusal names its message; the last one is acknowledged. */
export function batch(changes: readonly Buffer[]): Buffer {
  const last = changes.at(-1);
  if (last !== undefined) host16(last, (little ? last.readUInt16LE(6) : last.readUInt16BE(6)) | ACK, 6);
  const all = [
    message(BATCH_BEGIN, REQUEST, 0, NF_TABLES, []),
    ...changes,
    message(BATCH_END, REQUEST, 0, NF_TABLES, []),
  ];
  all.forEach((part, index) => host32(part, index + 1, 8));
  return Buffer.concat(all);
}

/** Reads answers: the error numbers in them, 0 for an acknowledgement. */
export function errorsIn(answer: Buffer): number[] {
  const errors: number[] = [];
  for (let at = 0; at + 20 <= answer.length;) {
    const size = little ? answer.readUInt32LE(at) : answer.readUInt32BE(at);
    const type = little ? answer.readUInt16LE(at + 4) : answer.readUInt16BE(at + 4);
    if (type === 2) errors.push(little ? answer.readInt32LE(at + 16) : answer.readInt32BE(at + 16));
    if (size < 16) break;
    at += (size + 3) & ~3;
  }
  return errors;
}

/** The kernel's 32-bit registers, from the first one on. */
export const register = (index: number): number => 8 + index;

const expression = (name: string, ...body: readonly Buffer[]): Buffer => nested(1, text(1, name), nested(2, ...body));
export const value = (type: number, bytes: Buffer | readonly number[]): Buffer =>
  nested(type, attribute(1, Buffer.from(bytes)));

export const NETWORK = 1;
export const TRANSPORT = 2;
export const ACCEPT = 1;
export const DROP = 0;
export const RETURN = -5;
const JUMP = -3;
const DESTINATION_NAT = 1;

/** `length` bytes of a header into a register. */
export const load = (to: number, header: number, offset: number, length: number): Buffer =>
  expression("payload", number(1, register(to)), number(2, header), number(3, offset), number(4, length));
const [LOOPBACK, INCOMING_TYPE] = [772, 8];
/** Whether a packet comes in from this network's own programs. */
export const fromLoopback = (scratch: number): Buffer[] => [
  expression("meta", number(1, register(scratch)), number(2, INCOMING_TYPE)),
  expression(
    "cmp",
    ...[number(1, register(scratch)), number(2, OPERATORS.equal)],
    value(3, hostNumber(LOOPBACK).subarray(little ? 0 : 2, little ? 2 : 4)),
  ),
];
export const mask = (at: number, bytes: readonly number[]): Buffer =>
  expression(
    "bitwise",
    number(1, register(at)),
    number(2, register(at)),
    number(3, bytes.length),
    value(4, bytes),
    value(5, Buffer.alloc(bytes.length)),
  );
const OPERATORS = { equal: 0, unequal: 1, atMost: 3, atLeast: 5 } as const;
export const compare = (at: number, how: keyof typeof OPERATORS, bytes: readonly number[]): Buffer =>
  expression("cmp", number(1, register(at)), number(2, OPERATORS[how]), value(3, bytes));
export const isIn = (set: string, at: number): Buffer =>
  expression("lookup", text(1, set), number(2, register(at)), number(5, 0));
/** Adds registers from `at` on to a set, or renews what is there. */
export const remember = (set: string, at: number): Buffer =>
  expression("dynset", text(1, set), number(3, 1), number(4, register(at)));
export const verdict = (code: number): Buffer =>
  expression("immediate", number(1, 0), nested(2, nested(2, number(1, code))));
export const jump = (chain: string): Buffer => expression("immediate", number(1, 0), nested(2, jumpTo(chain)));
/** The jump as what a map of verdicts holds. */
export const jumpTo = (chain: string): Buffer => nested(2, number(1, JUMP), text(2, chain));
/** Goes where a map of verdicts says for registers from `at` on. */
export const followMap = (map: string, at: number): Buffer =>
  expression("lookup", text(1, map), number(2, register(at)), number(3, 0));
/** Puts what a map holds for registers from `at` on into those from `to` on. */
export const readMap = (map: string, at: number, to: number): Buffer =>
  expression("lookup", text(1, map), number(2, register(at)), number(3, register(to)));
/** Puts bytes into registers from `to` on. */
export const loadBytes = (to: number, bytes: Buffer): Buffer =>
  expression("immediate", number(1, register(to)), value(2, bytes));
/** A number below `modulus`, any. */
export const takeAny = (to: number, modulus: number): Buffer =>
  expression("numgen", number(1, register(to)), number(2, modulus), number(3, 1));
/** Counts 0, 1 … `modulus` - 1 and again, one a packet. */
export const takeTurn = (to: number, modulus: number): Buffer =>
  expression("numgen", number(1, register(to)), number(2, modulus), number(3, 0));
/** The packet's connection goes to the address and port in two registers. */
export const sendTo = (address: number, port: number): Buffer =>
  expression(
    "nat",
    ...[number(1, DESTINATION_NAT), number(2, IPV4)],
    ...[number(3, register(address)), number(5, register(port))],
  );
