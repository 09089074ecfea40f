/** YAML bodies into values. Apart from JSON's, for its parser is large and few clients send YAML. */
import { parseDocument, type ScalarTag } from "yaml";
import { badRequest, type StatusError } from "../api/status-error.ts";
import { MAX_DEPTH, utf8, type Decoded } from "./decode.ts";

/** Servers read YAML 1.1's booleans and octal numbers (`defaultMode: 0644`), though not its base-60 numbers. */
const YAML_11: ScalarTag[] = [
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
    resolve: (text) => /^(?:y|on)/i.test(text),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*)$/,
    resolve: (text) => {
      const [, sign = "", digits = ""] = /^([-+]?)(.*)$/.exec(text.replaceAll("_", "")) ?? [];
      const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
      return sign === "-" ? -value : value;
    },
  },
];

/** YAML 1.1 values only JSON can carry, and every key a string. */
function toJson(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw badRequest("exceeded max depth");
  if (typeof value === "number" && !Number.isFinite(value))
    throw badRequest(`json: unsupported value: ${goFloat(value)}`);
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item) => toJson(item, depth + 1));
  if (value instanceof Map) {
    return Object.fromEntries(
      [...value].map(([key, item]) => [key === null ? "null" : String(key), toJson(item, depth + 1)]),
    );
  }
  return value ?? null;
}

const goFloat = (value: number): string => (Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");

/** Parses a YAML body (one document). Throws `StatusError` 400 that names the line. */
export function decodeYaml(body: string | Uint8Array): Decoded {
  const text = utf8(body);
  const document = parseDocument(text, {
    version: "1.2",
    customTags: (tags) => [...YAML_11, ...tags],
    merge: true,
    uniqueKeys: true,
    prettyErrors: true,
  });
  const duplicates: string[] = [];
  for (const error of document.errors) {
    const line = error.linePos?.[0].line ?? 1;
    if (error.code !== "DUPLICATE_KEY") throw yamlFault(line, error.message);
    duplicates.push(`line ${line}: key ${JSON.stringify(keyAt(text, error.pos[0]))} already set in map`);
  }
  let value: unknown;
  try {
    value = document.toJS({ mapAsMap: true, maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`yaml: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { value: toJson(value, 0), duplicates };
}

const yamlFault = (line: number, message: string): StatusError =>
  badRequest(`yaml: line ${line}: ${message.split("\n")[0]?.replace(/ at line .*$/, "") ?? ""}`);

const keyAt = (text: string, at: number): string => /^["']?([^:"'\n]*)/.exec(text.slice(at))?.[1]?.trim() ?? "";
