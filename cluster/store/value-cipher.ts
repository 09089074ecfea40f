/**
 * Values of encrypted tables at rest: AES-256-GCM, bound to the place they stand in.
 * Layout: format version (1), key id (4 bytes, big-endian), nonce (12), tag (16), ciphertext.
 * Plain values are JSON text, so their first byte is "{" and never a format version.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { StoreOpenError } from "./store-open-error.ts";

const FORMAT = 1;
const NONCE_AT = 5;
const TAG_AT = NONCE_AT + 12;
const TEXT_AT = TAG_AT + 16;
const KEY_BYTES = 32;

export interface ValueCipher {
  readonly keyId: number;
  encrypt(plain: Uint8Array, place: string): Buffer;
  /** Throws when the key is unknown or the value was not written for this place. */
  decrypt(value: Uint8Array, place: string): Buffer;
}

export const isEncrypted = (value: Uint8Array): boolean => value[0] === FORMAT;

/** A cipher that writes with the primary key and reads with any of them. */
export function createCipher(primary: number, keys: ReadonlyMap<number, Buffer>): ValueCipher {
  const keyOf = (id: number): Buffer => {
    const key = keys.get(id);
    if (key === undefined) throw new Error(`encryption key ${id} is not in the key file`);
    return key;
  };
  return {
    keyId: primary,
    encrypt(plain, place) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", keyOf(primary), nonce).setAAD(Buffer.from(place));
      const text = [cipher.update(plain), cipher.final()];
      const head = Buffer.alloc(NONCE_AT);
      head[0] = FORMAT;
      head.writeUInt32BE(primary, 1);
      return Buffer.concat([head, nonce, cipher.getAuthTag(), ...text]);
    },
    decrypt(value, place) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (bytes[0] !== FORMAT || bytes.length < TEXT_AT) throw new Error("the value has no known format");
      const decipher = createDecipheriv("aes-256-gcm", keyOf(bytes.readUInt32BE(1)), bytes.subarray(NONCE_AT, TAG_AT));
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(TAG_AT, TEXT_AT));
      return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT)), decipher.final()]);
    },
  };
}

/**
 * The cipher of a data directory. The key file is made when `create` says that nothing was ever encrypted with it;
 * later a missing one is an error, since a new key could not read what is there.
 */
export function loadCipher(file: string, create: boolean): ValueCipher {
  if (!existsSync(file)) {
    if (!create) {
      throw new StoreOpenError(
        "key",
        `the encryption key ${file} is missing, without it no Secret can be read: put the file back from a copy`,
      );
    }
    createKeyFile(file);
  }
  const { primary, keys } = parseKeyFile(file, readFileSync(file, "utf8"));
  return createCipher(primary, keys);
}

function createKeyFile(file: string): void {
  const content = { version: 1, primary: 1, keys: { "1": randomBytes(KEY_BYTES).toString("base64") } };
  // Under another name first: a start that is killed here must not leave half a key.
  const unfinished = `${file}.new`;
  const descriptor = openSync(unfinished, "w", 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(content)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, file);
}

function parseKeyFile(file: string, text: string): { primary: number; keys: Map<number, Buffer> } {
  const keys = new Map<number, Buffer>();
  try {
    const content = JSON.parse(text) as {
      version?: unknown;
      primary?: unknown;
      keys?: Record<string, unknown>;
    };
    for (const [id, value] of Object.entries(content.keys ?? {})) {
      const key = Buffer.from(String(value), "base64");
      if (key.length === KEY_BYTES) keys.set(Number(id), key);
    }
    if (content.version === 1 && typeof content.primary === "number" && keys.has(content.primary)) {
      return { primary: content.primary, keys };
    }
  } catch {
    // Worded below; the parser's own message could quote the key.
  }
  throw new StoreOpenError("key", `the encryption key ${file} is not readable as a key file: put it back from a copy`);
}
