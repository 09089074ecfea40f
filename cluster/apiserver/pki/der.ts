/** What X.509 certificates need of DER, the binary form of ASN.1: writing values, and finding parts of one that exists. */

const SEQUENCE = 0x30;

/** One value: its tag, its length, what it holds. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  if (length < 0x1_0000) return Buffer.from([0x82, length >> 8, length & 0xff]);
  throw new Error(`a DER value of ${length} bytes is longer than any part of a certificate`);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => der(SEQUENCE, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => der(0x31, ...content);
export const octets = (content: Uint8Array): Buffer => der(0x04, content);
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
export const TRUE = der(0x01, Buffer.from([0xff]));

/** `[number]` around values, or in place of one value's own tag. */
export const explicit = (number: number, ...content: readonly Uint8Array[]): Buffer => der(0xa0 | number, ...content);
export const implicit = (number: number, content: Uint8Array): Buffer => der(0x80 | number, content);

/** A whole number that is not negative, from its bytes, the highest first. */
export function unsigned(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = bytes.subarray(from);
  // A set highest bit would say that the number is negative.
  return (digits[0] ?? 0) >= 0x80 ? der(0x02, Buffer.from([0]), digits) : der(0x02, digits);
}

export const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.from([unused]), content);

/** An object identifier from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

/** A point in time, to the second; two digits of the year until 2049, as RFC 5280 wants it. */
export function time(date: Date): Buffer {
  const text = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

/** The values inside a constructed value, each whole. Throws for what is not DER. */
export function parts(value: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const { start, end } = contentOf(value, 0);
  for (let at = start; at < end;) {
    const next = contentOf(value, at).end;
    found.push(value.subarray(at, next));
    at = next;
  }
  return found;
}

/** The bytes of a value without tag and length. */
export function content(value: Uint8Array): Uint8Array {
  const { start, end } = contentOf(value, 0);
  return value.subarray(start, end);
}

function contentOf(value: Uint8Array, at: number): { start: number; end: number } {
  const first = value[at + 1] ?? 0;
  const more = first < 0x80 ? 0 : first & 0x7f;
  let length = more === 0 ? first : 0;
  for (let i = 0; i < more; i++) length = length * 256 + (value[at + 2 + i] ?? 0);
  const start = at + 2 + more;
  if (start + length > value.length)
    throw new Error("the certificate is not DER: a value is longer than what holds it");
  return { start, end: start + length };
}

export const tagOf = (value: Uint8Array): number => value[0] ?? 0;

/** The dotted form of an object identifier. */
export function objectIdentifier(value: Uint8Array): string {
  if (tagOf(value) !== 0x06) throw new Error("not an object identifier");
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content(value)) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const [first = 0, ...rest] = numbers;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...rest].join(".");
}
