/** JSON bodies into values, with what a strict client wants to hear about. */
import { badRequest } from "../api/status-error.ts";
import { mergeDuplicates } from "./json-merge.ts";
import { faultText, scanJson } from "./json-scan.ts";
import { jsonSyntaxError } from "./json-syntax.ts";
import type { SchemaNode } from "./node.ts";

export interface Decoded {
  readonly value: unknown;
  /** JSON: paths of fields given twice. YAML: what the parser says of them, with the line. */
  readonly duplicates: readonly string[];
}

/** Deeper bodies are refused: every walk after this may recurse. No object of the API comes near it. */
export const MAX_DEPTH = 1000;

export const utf8 = (text: string | Uint8Array): string =>
  typeof text === "string" ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8");

function tooDeep(text: string): boolean {
  if (text.length < MAX_DEPTH) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/**
 * Parses a JSON body. Of equal keys in one object the last counts or, with `merge`, both where they are objects:
 * as a decoder does that knows the type. Throws `StatusError` 400 whose message says what is wrong, as Go's decoder puts it. */
export function decodeJson(body: string | Uint8Array, options?: { duplicates?: boolean; merge?: boolean }): Decoded {
  const text = utf8(body);
  if (tooDeep(text)) throw badRequest("exceeded max depth");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(jsonSyntaxError(text) ?? (error instanceof Error ? error.message : String(error)));
  }
  const duplicates = options?.duplicates === true ? scanJson(text).map((fault) => fault.path) : [];
  return { value: options?.merge === true && duplicates.length > 0 ? mergeDuplicates(text) : value, duplicates };
}

/**
 * Unknown and duplicate fields of a JSON body of a built-in kind, in the order of the text,
 * worded as the strict decoder words them. The body must have been accepted by `decodeJson`.
 */
export const strictFaults = (node: SchemaNode, body: string | Uint8Array): string[] =>
  scanJson(utf8(body), node).map(faultText);
