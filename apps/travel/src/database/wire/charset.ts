/** Character sets this server stores or speaks; everything is kept as UTF-8 inside. */
export interface Charset {
  readonly name: string;
  readonly collation: string;
  readonly id: number;
  readonly bytesPerCharacter: number;
}

export const CHARSETS: readonly Charset[] = [
  { name: "utf8mb4", collation: "utf8mb4_0900_ai_ci", id: 255, bytesPerCharacter: 4 },
  { name: "utf8mb3", collation: "utf8_general_ci", id: 33, bytesPerCharacter: 3 },
  { name: "latin1", collation: "latin1_swedish_ci", id: 8, bytesPerCharacter: 1 },
  { name: "ascii", collation: "ascii_general_ci", id: 11, bytesPerCharacter: 1 },
  { name: "binary", collation: "binary", id: 63, bytesPerCharacter: 1 },
];

export interface Collation {
  readonly name: string;
  readonly charset: string;
  readonly id: number;
  readonly isDefault: boolean;
}

export const COLLATIONS: readonly Collation[] = [
  { name: "utf8mb4_0900_ai_ci", charset: "utf8mb4", id: 255, isDefault: true },
  { name: "utf8mb4_general_ci", charset: "utf8mb4", id: 45, isDefault: false },
  { name: "utf8mb4_bin", charset: "utf8mb4", id: 46, isDefault: false },
  { name: "utf8mb4_unicode_ci", charset: "utf8mb4", id: 224, isDefault: false },
  { name: "utf8mb4_0900_bin", charset: "utf8mb4", id: 309, isDefault: false },
  { name: "utf8_general_ci", charset: "utf8mb3", id: 33, isDefault: true },
  { name: "utf8_unicode_ci", charset: "utf8mb3", id: 192, isDefault: false },
  { name: "utf8_bin", charset: "utf8mb3", id: 83, isDefault: false },
  { name: "latin1_swedish_ci", charset: "latin1", id: 8, isDefault: true },
  { name: "latin1_bin", charset: "latin1", id: 47, isDefault: false },
  { name: "ascii_general_ci", charset: "ascii", id: 11, isDefault: true },
  { name: "ascii_bin", charset: "ascii", id: 65, isDefault: false },
  { name: "binary", charset: "binary", id: 63, isDefault: true },
];

/** A character set by its name, `utf8` meaning utf8mb3. */
export function charsetNamed(name: string): Charset | undefined {
  const wanted = name.toLowerCase() === "utf8" ? "utf8mb3" : name.toLowerCase();
  return CHARSETS.find((charset) => charset.name === wanted);
}

export function collationNamed(name: string): Collation | undefined {
  const wanted = name.toLowerCase().replace(/^utf8mb3_/, "utf8_");
  return COLLATIONS.find((collation) => collation.name === wanted);
}

/** The collation of a handshake; one that is not known counts as utf8mb4, whose superset it mostly is. */
export function collationOf(id: number): Collation {
  const known = COLLATIONS.find((collation) => collation.id === id);
  return known ?? { name: "utf8mb4_0900_ai_ci", charset: "utf8mb4", id: 255, isDefault: true };
}

function isLatin(charset: string): boolean {
  return charset === "latin1" || charset === "ascii";
}

/** What a client sent, as text. */
export function decodeText(bytes: Buffer, charset: string): string {
  return bytes.toString(isLatin(charset) ? "latin1" : "utf8");
}

/** Text for a client; what its character set lacks becomes a question mark. */
export function encodeText(text: string, charset: string): Buffer {
  if (!isLatin(charset)) return Buffer.from(text);
  return Buffer.from(text.replaceAll(/[^\u0000-\u00ff]/gu, "?"), "latin1");
}
