/** What fields and types of the built-in kinds are for, in our own words: see descriptions/README.md. */
import { readdirSync, readFileSync } from "node:fs";

export interface Descriptions {
  /** Of a type, by its short name (`core.v1.Pod`). */
  ofType(type: string): string | undefined;
  ofField(type: string, field: string): string | undefined;
}

interface TypeText {
  readonly text: string;
  readonly fields: Map<string, string>;
  /** Another type whose fields are described there. */
  like: string | undefined;
}

const FOLDER = new URL("./descriptions/", import.meta.url);
const COMMON = "common.txt";
/** Endings of type names that `common.txt` may speak of. */
const ENDINGS = ["Condition", "List"] as const;

/** A line's first word and the rest. */
function split(line: string): [word: string, rest: string] {
  const at = line.indexOf(" ");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}

function readTypes(text: string, types: Map<string, TypeText>): void {
  let current: TypeText | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (!line.startsWith(" ")) {
      const [name, rest] = split(line);
      current = { text: rest, fields: new Map(), like: undefined };
      types.set(name, current);
    } else if (line.startsWith(" =")) {
      if (current !== undefined) current.like = line.slice(2);
    } else {
      const [field, rest] = split(line.slice(1));
      current?.fields.set(field, rest);
    }
  }
}

/** `core.v1.PodList` → `A list of Pod objects.` */
function ofListType(type: string): string | undefined {
  const name = type.slice(type.lastIndexOf(".") + 1);
  return name.endsWith("List") && name.length > 4 ? `A list of ${name.slice(0, -4)} objects.` : undefined;
}

function readDescriptions(): Descriptions {
  const types = new Map<string, TypeText>();
  for (const file of readdirSync(FOLDER)) {
    if (file.endsWith(".txt") && file !== COMMON) readTypes(readFileSync(new URL(file, FOLDER), "utf8"), types);
  }
  const common = new Map(
    readFileSync(new URL(COMMON, FOLDER), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map(split),
  );
  const ofField = (type: string, field: string): string | undefined => {
    const known = types.get(type);
    const own = known?.fields.get(field);
    if (own !== undefined) return own;
    if (known?.like !== undefined) return ofField(known.like, field);
    const ending = ENDINGS.find((end) => type.endsWith(end));
    return (ending === undefined ? undefined : common.get(`${ending}.${field}`)) ?? common.get(field);
  };
  return { ofType: (type) => types.get(type)?.text ?? ofListType(type), ofField };
}

let read: Descriptions | undefined;

/** The descriptions, read when they are first asked for. */
export const descriptions = (): Descriptions => (read ??= readDescriptions());
