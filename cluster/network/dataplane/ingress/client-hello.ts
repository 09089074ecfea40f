/** Reads the server name out of a TLS ClientHello, without ending the TLS. */

export type HelloResult =
  | { readonly kind: "need-more" }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "none" };

const NONE: HelloResult = { kind: "none" };
const MORE: HelloResult = { kind: "need-more" };
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/** `data` is what arrived so far, from the first byte. */
export function serverNameOf(data: Buffer): HelloResult {
  const hello = handshakeBytes(data);
  if (hello === "more") return MORE;
  if (hello === undefined || hello.length < 38 || hello[0] !== CLIENT_HELLO) return NONE;
  try {
    let at = 4 + 2 + 32;
    at += 1 + hello.readUInt8(at);
    at += 2 + hello.readUInt16BE(at);
    at += 1 + hello.readUInt8(at);
    const end = Math.min(hello.length, at + 2 + hello.readUInt16BE(at));
    at += 2;
    while (at + 4 <= end) {
      const type = hello.readUInt16BE(at);
      const size = hello.readUInt16BE(at + 2);
      if (type === SERVER_NAME) return nameIn(hello.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return NONE;
}

function nameIn(list: Buffer): HelloResult {
  if (list.length < 5 || list[2] !== 0) return NONE;
  return {
    kind: "name",
    name: list
      .subarray(5, 5 + list.readUInt16BE(3))
      .toString("latin1")
      .toLowerCase(),
  };
}

/** The first handshake message, put together from its records. */
function handshakeBytes(data: Buffer): Buffer | "more" | undefined {
  const parts: Buffer[] = [];
  let got = 0;
  let at = 0;
  for (;;) {
    if (data.length < at + 5) return "more";
    if (data[at] !== HANDSHAKE) return undefined;
    const size = data.readUInt16BE(at + 3);
    if (data.length < at + 5 + size) return "more";
    parts.push(data.subarray(at + 5, at + 5 + size));
    got += size;
    at += 5 + size;
    const joined = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (joined !== undefined && got >= 4 && got >= 4 + joined.readUIntBE(1, 3)) return joined;
  }
}
