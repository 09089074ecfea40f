import { errors } from "../errors.ts";

export type TokenKind =
  | "word"
  | "quoted"
  | "string"
  | "number"
  | "bytes"
  | "parameter"
  | "userVariable"
  | "systemVariable"
  | "operator"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** The meaning: an unquoted word as written, an identifier or string without quotes, an operator. */
  readonly value: string;
  /** The same in upper case, for words and operators; "" for everything else. */
  readonly upper: string;
  readonly start: number;
  readonly end: number;
}

export interface TokenizerMode {
  readonly ansiQuotes: boolean;
  readonly noBackslashEscapes: boolean;
}

// Comments that begin with `/*!80020` are SQL for servers of at least that version.
const EXECUTABLE_VERSION = 80020;

const OPERATORS = [
  "<=>",
  "->>",
  ":=",
  "<<",
  ">>",
  "<=",
  ">=",
  "<>",
  "!=",
  "&&",
  "||",
  "->",
  ..."+-*/%=<>!~^&|(),.;{}:@".split(""),
];

const ESCAPES: Readonly<Record<string, string>> = {
  "0": "\0",
  b: "\b",
  n: "\n",
  r: "\r",
  t: "\t",
  Z: "\x1a",
};

/** Cuts MySQL's SQL into tokens; throws a syntax error where that cannot be done. */
export function tokenize(sql: string, mode: TokenizerMode): Token[] {
  return new Tokenizer(sql, mode).all();
}

class Tokenizer {
  readonly #sql: string;
  readonly #mode: TokenizerMode;
  readonly #tokens: Token[] = [];
  #at = 0;
  #inExecutableComment = false;

  constructor(sql: string, mode: TokenizerMode) {
    this.#sql = sql;
    this.#mode = mode;
  }

  all(): Token[] {
    while (this.#skipBlank()) this.#token();
    if (this.#inExecutableComment) throw this.#error(this.#sql.length);
    this.#push("end", "", this.#sql.length);
    return this.#tokens;
  }

  #error(at: number): Error {
    return syntaxErrorAt(this.#sql, at);
  }

  #push(kind: TokenKind, value: string, start: number): void {
    const upper = kind === "word" || kind === "operator" ? value.toUpperCase() : "";
    this.#tokens.push({ kind, value, upper, start, end: this.#at });
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#sql)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Skips white space and comments; false at the end. */
  #skipBlank(): boolean {
    for (;;) {
      const before = this.#at;
      this.#match(/[\s\0]+/y);
      this.#match(/#[^\n]*/y);
      this.#match(/--(?=[\s\0]|$)[^\n]*/y);
      this.#skipBlockComment();
      if (this.#at === before) return this.#at < this.#sql.length;
    }
  }

  #skipBlockComment(): void {
    const start = this.#at;
    if (this.#inExecutableComment && this.#match(/\*\//y) !== undefined) {
      this.#inExecutableComment = false;
      return;
    }
    const executable = this.#match(/\/\*!\d{0,6}/y);
    if (executable !== undefined) {
      const version = executable.slice(3);
      if (this.#inExecutableComment) throw this.#error(start);
      if (version === "" || Number(version) <= EXECUTABLE_VERSION) {
        this.#inExecutableComment = true;
        return;
      }
    } else if (this.#match(/\/\*/y) === undefined) return;
    const end = this.#sql.indexOf("*/", this.#at);
    if (end < 0) throw this.#error(start);
    this.#at = end + 2;
  }

  #token(): void {
    const start = this.#at;
    const next = this.#sql.charAt(start);
    if (next === "'" || next === '"') return this.#quotedText(next, start);
    if (next === "`") return this.#push("quoted", this.#delimited("`"), start);
    if (next === "?") {
      this.#at++;
      return this.#push("parameter", "?", start);
    }
    if (next === "@") return this.#variable(start);
    if (this.#bytesOrNumber(start)) return;
    const word = this.#match(/[\w$\u0080-\u{10ffff}]+/uy);
    if (word !== undefined) return this.#push("word", word, start);
    const operator = OPERATORS.find((each) => this.#sql.startsWith(each, start));
    if (operator === undefined) throw this.#error(start);
    this.#at += operator.length;
    this.#push("operator", operator, start);
  }

  #quotedText(quote: string, start: number): void {
    if (quote === '"' && this.#mode.ansiQuotes) return this.#push("quoted", this.#delimited('"'), start);
    this.#push("string", this.#string(quote), start);
  }

  /** An identifier between delimiters, which are doubled inside. */
  #delimited(delimiter: string): string {
    const start = this.#at++;
    let value = "";
    for (;;) {
      const end = this.#sql.indexOf(delimiter, this.#at);
      if (end < 0) throw this.#error(start);
      value += this.#sql.slice(this.#at, end);
      this.#at = end + 1;
      if (this.#sql.charAt(this.#at) !== delimiter) return value;
      value += delimiter;
      this.#at++;
    }
  }

  #string(quote: string): string {
    const start = this.#at++;
    let value = "";
    while (this.#at < this.#sql.length) {
      const character = this.#sql.charAt(this.#at++);
      if (character === quote) {
        if (this.#sql.charAt(this.#at) !== quote) return value;
        value += quote;
        this.#at++;
      } else if (character === "\\" && !this.#mode.noBackslashEscapes) {
        if (this.#at >= this.#sql.length) break;
        value += unescaped(this.#sql.charAt(this.#at++));
      } else value += character;
    }
    throw this.#error(start);
  }

  #variable(start: number): void {
    const system = this.#match(/@@(?:(?:global|session|local|persist|persist_only)\s*\.\s*)?`?[\w$.]+`?/iy);
    if (system !== undefined) {
      const name = system.slice(2).replaceAll(/[\s`]/g, "");
      return this.#push("systemVariable", name, start);
    }
    this.#at++;
    const next = this.#sql.charAt(this.#at);
    if (next === "`") return this.#push("userVariable", this.#delimited("`"), start);
    if (next === "'" || next === '"') return this.#push("userVariable", this.#string(next), start);
    const name = this.#match(/[\w$.\u0080-\u{10ffff}]+/uy);
    if (name === undefined) return this.#push("operator", "@", start);
    this.#push("userVariable", name, start);
  }

  #bytesOrNumber(start: number): boolean {
    const hex = this.#match(/0x[0-9a-f]+(?![\w$])|x'(?:[0-9a-f]{2})*'/iy);
    if (hex !== undefined) {
      const digits = hex.startsWith("0x") ? hex.slice(2) : hex.slice(2, -1);
      this.#push("bytes", digits.length % 2 === 0 ? digits : `0${digits}`, start);
      return true;
    }
    const bits = this.#match(/0b[01]+(?![\w$])|b'[01]*'/iy);
    if (bits !== undefined) {
      const digits = bits.replaceAll(/^0b|^b|'/gi, "");
      const hexDigits = digits === "" ? "" : BigInt(`0b${digits}`).toString(16);
      this.#push("bytes", hexDigits.length % 2 === 0 ? hexDigits : `0${hexDigits}`, start);
      return true;
    }
    const afterDot = this.#tokens.at(-1);
    const isPart = afterDot?.value === "." && afterDot.kind === "operator" && afterDot.end === start;
    if (isPart) return false;
    const number = this.#match(/(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w$])|\d+\.\d*(?![\w$])/iy);
    if (number === undefined) return false;
    this.#push("number", number, start);
    return true;
  }
}

function unescaped(character: string): string {
  // `\%` and `\_` keep their backslash: they only mean something to LIKE.
  if (character === "%" || character === "_") return `\\${character}`;
  return ESCAPES[character] ?? character;
}

/** MySQL's syntax error: what follows from here, and on which line that is. */
export function syntaxErrorAt(sql: string, at: number): Error {
  const line = sql.slice(0, at).split("\n").length;
  return errors.syntax(sql.slice(at, at + 80), line);
}
