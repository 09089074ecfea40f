/** The JSONPath of printer columns and selectable fields: fields, indexes, `*`, and filters on equality. */

type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | {
      readonly kind: "filter";
      readonly path: readonly Step[];
      readonly operator: "==" | "!=" | "exists";
      readonly value: unknown;
    };

/** A path that cannot be read; the message says where. */
export class JsonPathError extends Error {
  override readonly name = "JsonPathError";
}

const FILTER = /^\?\(\s*@((?:[^=!<>]|\\.)*?)\s*(?:(==|!=)\s*("[^"]*"|'[^']*'|[^)]*?)\s*)?\)$/;

function literal(text: string): unknown {
  if (/^["']/.test(text)) return text.slice(1, -1);
  if (text === "true") return true;
  if (text === "false") return false;
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function bracket(content: string, whole: string): Step {
  const inner = content.trim();
  if (inner === "*") return { kind: "all" };
  if (/^-?\d+$/.test(inner)) return { kind: "index", index: Number(inner) };
  const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/.exec(inner);
  if (quoted !== null) return { kind: "field", name: (quoted[1] ?? quoted[2] ?? "").replace(/\\(.)/g, "$1") };
  const filter = FILTER.exec(inner);
  if (filter !== null) {
    const [, path = "", operator, value = ""] = filter;
    return {
      kind: "filter",
      path: steps(path.trim()),
      operator: operator === "==" || operator === "!=" ? operator : "exists",
      value: literal(value),
    };
  }
  throw new JsonPathError(`cannot read ${JSON.stringify(`[${content}]`)} in the JSONPath ${JSON.stringify(whole)}`);
}

/** The end of a bracket that opens at `start`, quotes respected. */
function closing(text: string, start: number): number {
  let quote = "";
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text.charAt(i);
    if (quote !== "") {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if (c === '"' || c === "'") quote = c;
    else if (c === "[") depth++;
    else if (c === "]" && --depth === 0) return i;
  }
  throw new JsonPathError(`unterminated [ in the JSONPath ${JSON.stringify(text)}`);
}

function steps(text: string): Step[] {
  const found: Step[] = [];
  let i = 0;
  while (i < text.length) {
    const c = text.charAt(i);
    if (c === "[") {
      const end = closing(text, i);
      found.push(bracket(text.slice(i + 1, end), text));
      i = end + 1;
      continue;
    }
    if (c === ".") i++;
    const match = /^(?:\\.|[^.[\]\\])+/.exec(text.slice(i));
    if (match === null) {
      if (i >= text.length) break;
      throw new JsonPathError(`cannot read the JSONPath ${JSON.stringify(text)} at ${i}`);
    }
    const name = match[0].replace(/\\(.)/g, "$1");
    found.push(name === "*" ? { kind: "all" } : { kind: "field", name });
    i += match[0].length;
  }
  return found;
}

const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

function walk(value: unknown, path: readonly Step[], at: number, out: unknown[]): void {
  const step = path[at];
  if (step === undefined) {
    out.push(value);
    return;
  }
  switch (step.kind) {
    case "field": {
      const next = own(value, step.name);
      if (next !== undefined) walk(next, path, at + 1, out);
      return;
    }
    case "index": {
      if (!Array.isArray(value)) return;
      const next: unknown = value.at(step.index);
      if (next !== undefined) walk(next, path, at + 1, out);
      return;
    }
    case "all": {
      const items: unknown[] = Array.isArray(value)
        ? value
        : typeof value === "object" && value !== null
          ? Object.values(value)
          : [];
      for (const item of items) walk(item, path, at + 1, out);
      return;
    }
    case "filter": {
      if (!Array.isArray(value)) return;
      for (const item of value as unknown[]) if (keeps(item, step)) walk(item, path, at + 1, out);
    }
  }
}

function keeps(item: unknown, { path, operator, value }: Extract<Step, { kind: "filter" }>): boolean {
  const found: unknown[] = [];
  walk(item, path, 0, found);
  if (operator === "exists") return found.length > 0;
  return found.some((one) => (one === value) === (operator === "=="));
}

/** Compiles a path; the result gives every value it leads to. Throws `JsonPathError`. */
export function compileJsonPath(text: string): (value: unknown) => unknown[] {
  const trimmed = text
    .trim()
    .replace(/^\{(.*)\}$/s, "$1")
    .replace(/^\$/, "");
  const path = steps(trimmed);
  return (value) => {
    const out: unknown[] = [];
    walk(value, path, 0, out);
    return out;
  };
}
