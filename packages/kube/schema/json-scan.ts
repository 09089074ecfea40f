/**
 * Walks JSON text that `JSON.parse` has accepted, to find what parsing hides: keys given twice,
 * and (with a schema) fields that the schema does not know, both in the order of the text.
 */
import type { SchemaNode } from "./node.ts";

export type FaultKind = "unknown" | "duplicate";

export interface StrictFault {
  readonly kind: FaultKind;
  /** `spec.containers[0].name` */
  readonly path: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;

/** What stands below a key of `node`; false: nothing there is looked at. */
function below(node: SchemaNode | undefined, key: string): SchemaNode | undefined | false | "unknown" {
  if (node === undefined) return undefined;
  switch (node.kind) {
    case "struct": {
      const field = node.fields.get(key);
      if (field !== undefined) return field.node;
      return node.open ? false : "unknown";
    }
    case "map":
      return node.values;
    default:
      return false;
  }
}

class Scanner {
  readonly faults: StrictFault[] = [];
  readonly #text: string;
  readonly #seen = new Set<string>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #space(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code > 0x20 || Number.isNaN(code)) return code;
      this.#at++;
    }
  }

  #string(): string {
    const start = ++this.#at;
    let escaped = false;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at++);
      if (code === QUOTE || Number.isNaN(code)) break;
      if (code === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
    }
    const raw = this.#text.slice(start, this.#at - 1);
    return escaped ? (JSON.parse(`"${raw}"`) as string) : raw;
  }

  #skipString(): void {
    this.#at++;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at++);
      if (code === QUOTE || Number.isNaN(code)) return;
      if (code === BACKSLASH) this.#at++;
    }
  }

  #skipWord(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === COMMA || code === CLOSE_OBJECT || code === CLOSE_ARRAY || code <= 0x20 || Number.isNaN(code)) return;
      this.#at++;
    }
  }

  /** Steps over one value without looking into it. */
  #skip(): void {
    let depth = 0;
    do {
      const code = this.#space();
      if (Number.isNaN(code)) return;
      if (code === QUOTE) this.#skipString();
      else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
        depth++;
        this.#at++;
      } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
        depth--;
        this.#at++;
      } else if (code === COMMA || code === 0x3a) this.#at++;
      else this.#skipWord();
    } while (depth > 0);
  }

  #fault(kind: FaultKind, path: string): void {
    const key = `${kind}:${path}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.faults.push({ kind, path });
  }

  value(node: SchemaNode | undefined | false, path: string): void {
    const code = this.#space();
    if (node !== false && code === OPEN_OBJECT) this.#object(node, path);
    else if (node !== false && code === OPEN_ARRAY) this.#array(node, path);
    else this.#skip();
  }

  #object(node: SchemaNode | undefined, path: string): void {
    const keys = new Set<string>();
    this.#at++;
    while (this.#space() === QUOTE) {
      const key = this.#string();
      this.#space();
      this.#at++;
      const at = path === "" ? key : `${path}.${key}`;
      const child = below(node, key);
      if (child === "unknown") {
        this.#fault("unknown", at);
        this.#skip();
      } else {
        if (keys.has(key)) this.#fault("duplicate", at);
        keys.add(key);
        this.value(child, at);
      }
      if (this.#space() === COMMA) this.#at++;
    }
    this.#at++;
  }

  #array(node: SchemaNode | undefined, path: string): void {
    const items = node === undefined ? undefined : node.kind === "list" ? node.items : false;
    this.#at++;
    for (let index = 0; ; index++) {
      const code = this.#space();
      if (code === CLOSE_ARRAY || Number.isNaN(code)) break;
      this.value(items, `${path}[${index}]`);
      if (this.#space() === COMMA) this.#at++;
    }
    this.#at++;
  }
}

/**
 * Unknown and duplicate fields of a body, in the order of the text. Without a schema only duplicates are found.
 * `text` must be valid JSON.
 */
export function scanJson(text: string, node?: SchemaNode): readonly StrictFault[] {
  const scanner = new Scanner(text);
  scanner.value(node, "");
  return scanner.faults;
}

/** The faults in the words of a strict decoding error: `unknown field "spec.foo"`. */
export const faultText = (fault: StrictFault): string => `${fault.kind} field ${JSON.stringify(fault.path)}`;
