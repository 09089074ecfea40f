/** Reads label selectors (`a=b,c in (d,e),!f`); what cannot be read is told in upstream's words. */
import { labelValueFault, qualifiedNameFault } from "../api/names.ts";
import { badRequest } from "../api/status-error.ts";
import type { LabelOperator, LabelRequirement } from "./selectors.ts";

type Kind = "identifier" | "word" | "symbol" | "error" | "end";

interface Token {
  readonly kind: Kind;
  readonly text: string;
}

const SYMBOLS: ReadonlySet<string> = new Set([")", ",", "!", "==", "=", ">", "<", "!=", "("]);
const END: Token = { kind: "end", text: "" };

class SyntaxFault extends Error {}

/** The longest symbol at the beginning of a run of special characters. */
function symbolOf(run: string): Token {
  for (let length = Math.min(2, run.length); length > 0; length--)
    if (SYMBOLS.has(run.slice(0, length))) return { kind: "symbol", text: run.slice(0, length) };
  return { kind: "error", text: `error expected: keyword found '${run}'` };
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const space = /^[ \t\r\n]+/.exec(rest)?.[0];
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const run = /^[=!(),<>]+/.exec(rest)?.[0];
    const word = /^[^=!(),<> \t\r\n]+/.exec(rest)?.[0] ?? "";
    const token: Token =
      run === undefined
        ? { kind: word === "in" || word === "notin" ? "word" : "identifier", text: word }
        : symbolOf(run);
    tokens.push(token);
    at += token.kind === "error" ? (run?.length ?? 1) : token.text.length;
  }
  tokens.push(END);
  return tokens;
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  in: "In",
  notin: "NotIn",
  "=": "In",
  "==": "In",
  "!=": "NotIn",
  ">": "Gt",
  "<": "Lt",
};
const OPERATOR_LIST = "in, notin, =, ==, !=, gt, lt";

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #next(): Token {
    return this.#tokens[this.#at++] ?? END;
  }

  /** `in` and `notin` are operators only where one is expected. */
  readonly #isName = ({ kind }: Token): boolean => kind === "identifier" || kind === "word";
  readonly #is = ({ kind, text }: Token, symbol: string): boolean => kind === "symbol" && text === symbol;

  requirements(): LabelRequirement[] {
    const out: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === "end") return out;
      if (!this.#isName(token) && !this.#is(token, "!"))
        throw new SyntaxFault(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      out.push(this.#requirement());
      const after = this.#next();
      if (after.kind === "end") return out;
      if (!this.#is(after, ",")) throw new SyntaxFault(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = this.#peek();
      if (!this.#isName(following) && !this.#is(following, "!"))
        throw new SyntaxFault(`found '${following.text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#next();
    const not = this.#is(token, "!");
    if (not) token = this.#next();
    if (!this.#isName(token)) fault(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const keyFault = qualifiedNameFault(key);
    if (keyFault !== undefined) fault(`<nil>: Invalid value: ${JSON.stringify(key)}: ${keyFault}`);
    const following = this.#peek();
    if (not || following.kind === "end" || this.#is(following, ","))
      return { key, operator: not ? "DoesNotExist" : "Exists", values: [] };
    return this.#compared(key);
  }

  #compared(key: string): LabelRequirement {
    const { kind, text } = this.#next();
    const operator = kind === "identifier" ? undefined : OPERATORS[text];
    if (operator === undefined) return fault(`found '${text}', expected: ${OPERATOR_LIST}`);
    const values = kind === "word" ? this.#values() : [this.#value()];
    return checked({ key, operator, values });
  }

  #value(): string {
    const token = this.#peek();
    if (token.kind === "end" || this.#is(token, ",")) return "";
    this.#next();
    return this.#isName(token) ? token.text : fault(`found '${token.text}', expected: identifier`);
  }

  #values(): string[] {
    const open = this.#next();
    if (!this.#is(open, "(")) fault(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (this.#is(first, ")")) {
      this.#next();
      return [""];
    }
    if (!this.#isName(first) && !this.#is(first, ",")) fault(`found '${first.text}', expected: ',', ')' or identifier`);
    const values = this.#list();
    this.#next();
    return [...values].toSorted();
  }

  /** Up to the parenthesis; between two commas stands the empty value. */
  #list(): Set<string> {
    const values = new Set<string>();
    for (;;) {
      const token = this.#next();
      if (this.#isName(token)) {
        values.add(token.text);
        const after = this.#peek();
        if (this.#is(after, ")")) return values;
        if (!this.#is(after, ",")) fault(`found '${after.text}', expected: ',' or ')'`);
      } else if (this.#is(token, ",")) {
        if (values.size === 0) values.add("");
        const after = this.#peek();
        if (this.#is(after, ")") || this.#is(after, ",")) values.add("");
        if (this.#is(after, ")")) return values;
      } else fault(`found '${token.text}', expected: ',', or identifier`);
    }
  }
}

/** Something wrong inside one requirement. */
function fault(text: string): never {
  throw new SyntaxFault(`unable to parse requirement: ${text}`);
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement;
  const faults: string[] = [];
  values.forEach((value, at) => {
    if ((operator === "Gt" || operator === "Lt") && !/^[+-]?\d+$/.test(value))
      faults.push(
        `values[${at}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    const wrong = labelValueFault(value);
    if (wrong !== undefined) faults.push(`values[${at}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong}`);
  });
  if (faults.length > 0) fault(faults.length === 1 ? (faults[0] ?? "") : `[${faults.join(", ")}]`);
  return requirement;
}

/** Reads `a=b,c in (d,e),!f`; throws a 400 StatusError. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  try {
    return new Parser(text).requirements();
  } catch (error) {
    if (error instanceof SyntaxFault) throw badRequest(error.message);
    throw error;
  }
}
