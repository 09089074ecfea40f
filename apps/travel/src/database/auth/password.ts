import { createHash, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

export type PluginName = "mysql_native_password" | "caching_sha2_password";

/** What is kept of a password: never the password itself. */
export type Credential =
  | { readonly plugin: "mysql_native_password"; readonly hash: string }
  | { readonly plugin: "caching_sha2_password"; readonly hash: string };

const derive = promisify(pbkdf2);
const ITERATIONS = 20_000;

function sha1(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index % b.length] ?? 0)));
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The credential for a new password; an empty password has an empty hash. */
export async function createCredential(plugin: PluginName, password: string): Promise<Credential> {
  if (password === "") return { plugin, hash: "" };
  if (plugin === "mysql_native_password") return { plugin, hash: sha1(sha1(Buffer.from(password))).toString("hex") };
  const salt = randomBytes(16);
  const key = await derive(password, salt, ITERATIONS, 32, "sha256");
  return { plugin, hash: `${ITERATIONS}$${salt.toString("base64")}$${key.toString("base64")}` };
}

/** Whether a password in clear is the credential's. */
export async function verifyPassword(credential: Credential, password: string): Promise<boolean> {
  if (credential.hash === "") return password === "";
  if (credential.plugin === "mysql_native_password") {
    return equal(sha1(sha1(Buffer.from(password))), Buffer.from(credential.hash, "hex"));
  }
  const [iterations = "", salt = "", key = ""] = credential.hash.split("$");
  const expected = Buffer.from(key, "base64");
  return equal(
    await derive(password, Buffer.from(salt, "base64"), Number(iterations), expected.length, "sha256"),
    expected,
  );
}

/** Checks mysql_native_password's answer to a challenge. */
export function verifyNativeScramble(hash: string, challenge: Buffer, answer: Buffer): boolean {
  if (hash === "") return answer.length === 0;
  if (answer.length !== 20) return false;
  const stored = Buffer.from(hash, "hex");
  return equal(sha1(xor(answer, sha1(challenge, stored))), stored);
}

/** What caching_sha2_password remembers of a password that was once proved: SHA-256 of its SHA-256. */
export function fastDigest(password: string): Buffer {
  return sha256(sha256(Buffer.from(password)));
}

/** Checks caching_sha2_password's fast answer against what is remembered. */
export function verifyFastScramble(digest: Buffer, challenge: Buffer, answer: Buffer): boolean {
  if (answer.length !== 32) return false;
  return equal(sha256(xor(answer, sha256(digest, challenge))), digest);
}
