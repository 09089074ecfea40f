/**
 * The v2 (swagger) document in parts, each encoded once: what one custom resource adds does not change with the others.
 * In JSON, and in the protobuf form that client-go asks for.
 */
import { createHash } from "node:crypto";
import { v2Definition, v2Document, v2Paths } from "./protobuf-v2.ts";
import type { OpenApiObject } from "./schemas.ts";

export type V2Form = "json" | "protobuf";

export const SECURITY = {
  BearerToken: { type: "apiKey", description: "Bearer Token authentication", name: "authorization", in: "header" },
};

export interface V2Content {
  readonly paths: OpenApiObject;
  readonly definitions: OpenApiObject;
}

/** A part of the document in one form. */
export interface V2Part {
  readonly hash: string;
  readonly paths: readonly Buffer[];
  readonly definitions: ReadonlyMap<string, Buffer>;
}

const entry = (name: string, value: unknown): Buffer => Buffer.from(`${JSON.stringify(name)}:${JSON.stringify(value)}`);

/** Encodes a part, save for the definitions that `known` has; `pause` is awaited between its entries. */
export async function v2Part(
  { paths, definitions }: V2Content,
  form: V2Form,
  known: ReadonlyMap<string, unknown> | undefined,
  pause: () => Promise<void> | undefined,
): Promise<V2Part> {
  const hash = createHash("sha256");
  const encodedPaths: Buffer[] = [];
  const encoded = new Map<string, Buffer>();
  for (const [path, item] of Object.entries(paths)) {
    const bytes = form === "json" ? entry(path, item) : v2Paths({ [path]: item });
    hash.update(bytes);
    encodedPaths.push(bytes);
    await pause();
  }
  for (const [name, definition] of Object.entries(definitions)) {
    if (known?.has(name) === true) continue;
    const bytes = form === "json" ? entry(name, definition) : v2Definition(name, definition);
    hash.update(bytes);
    encoded.set(name, bytes);
    await pause();
  }
  return { hash: hash.digest("hex"), paths: encodedPaths, definitions: encoded };
}

/** The document that its parts come to; of definitions of one name the first counts. */
export class V2Document {
  readonly etag: string;
  readonly #parts: readonly V2Part[];
  readonly #form: V2Form;
  readonly #info: object;

  constructor(parts: readonly V2Part[], form: V2Form, version: string) {
    this.#parts = parts;
    this.#form = form;
    this.#info = { title: "Kubernetes", version };
    const hash = createHash("sha512").update(version + form);
    for (const part of parts) hash.update(part.hash);
    this.etag = hash.digest("hex").toUpperCase();
  }

  body(): Buffer {
    const paths = this.#parts.flatMap((part) => part.paths);
    const definitions = this.#definitions();
    return Buffer.concat(
      this.#form === "json"
        ? this.#json(paths, definitions)
        : v2Document({ swagger: "2.0", info: this.#info }, paths, definitions),
    );
  }

  #definitions(): Buffer[] {
    const all = new Map<string, Buffer>();
    for (const { definitions } of this.#parts)
      for (const [name, bytes] of definitions) if (!all.has(name)) all.set(name, bytes);
    return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes);
  }

  #json(paths: readonly Buffer[], definitions: readonly Buffer[]): Buffer[] {
    const head = JSON.stringify({ swagger: "2.0", info: this.#info }).slice(0, -1);
    const tail = JSON.stringify({ securityDefinitions: SECURITY, security: [{ BearerToken: [] }] }).slice(1);
    return [
      Buffer.from(`${head},"paths":{`),
      ...separated(paths),
      Buffer.from('},"definitions":{'),
      ...separated(definitions),
      Buffer.from(`},${tail}`),
    ];
  }
}

const COMMA = Buffer.from(",");
const separated = (entries: readonly Buffer[]): Buffer[] =>
  entries.flatMap((each, index) => (index === 0 ? [each] : [COMMA, each]));
