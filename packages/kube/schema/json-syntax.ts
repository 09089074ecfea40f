/** Says why a text is no JSON, in the words that Go's decoder uses and clients know. Runs only after `JSON.parse` failed. */

const LITERALS = ["true", "false", "null"] as const;
const ESCAPES: Readonly<Record<string, string>> = {
  "'": "\\'",
  "\\": "\\\\",
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** A character as Go quotes one. */
function show(char: string): string {
  const code = char.charCodeAt(0);
  const isControl = code < 0x20 || code === 0x7f;
  return `'${ESCAPES[char] ?? (isControl ? `\\x${code.toString(16).padStart(2, "0")}` : char)}'`;
}

class Fault extends Error {}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(context: string): never {
    const char = this.#text[this.#at];
    throw new Fault(char === undefined ? "unexpected end of JSON input" : `invalid character ${show(char)} ${context}`);
  }

  #space(): string | undefined {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
    return this.#text[this.#at];
  }

  document(): void {
    this.#value(0);
    if (this.#space() !== undefined) this.#fail("after top-level value");
  }

  #value(depth: number): void {
    if (depth > 10_000) throw new Fault("exceeded max depth");
    const char = this.#space();
    if (char === "{") this.#object(depth);
    else if (char === "[") this.#array(depth);
    else if (char === '"') this.#string();
    else if (char === "-" || (char !== undefined && char >= "0" && char <= "9")) this.#number();
    else this.#literal(char);
  }

  #literal(char: string | undefined): void {
    const word = LITERALS.find((w) => w[0] === char);
    if (word === undefined) this.#fail("looking for beginning of value");
    this.#at++;
    for (const expected of word.slice(1)) {
      if (this.#text[this.#at] !== expected) this.#fail(`in literal ${word} (expecting ${show(expected)})`);
      this.#at++;
    }
  }

  #digits(context: string): void {
    const isDigit = (): boolean => /^[0-9]$/.test(this.#text[this.#at] ?? "");
    if (!isDigit()) this.#fail(context);
    while (isDigit()) this.#at++;
  }

  #number(): void {
    if (this.#text[this.#at] === "-") this.#at++;
    if (this.#text[this.#at] === "0") this.#at++;
    else this.#digits("in numeric literal");
    if (this.#text[this.#at] === ".") {
      this.#at++;
      this.#digits("after decimal point in numeric literal");
    }
    if (/^[eE]$/.test(this.#text[this.#at] ?? "")) {
      this.#at++;
      if (/^[+-]$/.test(this.#text[this.#at] ?? "")) this.#at++;
      this.#digits("in exponent of numeric literal");
    }
  }

  #string(): void {
    this.#at++;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char < " ") this.#fail("in string literal");
      this.#at++;
      if (char === '"') return;
      if (char === "\\") this.#escape();
    }
  }

  #escape(): void {
    const char = this.#text[this.#at];
    if (char === undefined || !'bfnrt\\/"u'.includes(char)) this.#fail("in string escape code");
    this.#at++;
    if (char !== "u") return;
    for (let i = 0; i < 4; i++) {
      if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? "")) this.#fail("in \\u hexadecimal character escape");
      this.#at++;
    }
  }

  #object(depth: number): void {
    this.#at++;
    if (this.#space() === "}") return void this.#at++;
    for (;;) {
      if (this.#space() !== '"') this.#fail("looking for beginning of object key string");
      this.#string();
      if (this.#space() !== ":") this.#fail("after object key");
      this.#at++;
      this.#value(depth + 1);
      const next = this.#space();
      if (next !== "," && next !== "}") this.#fail("after object key:value pair");
      this.#at++;
      if (next === "}") return;
    }
  }

  #array(depth: number): void {
    this.#at++;
    if (this.#space() === "]") return void this.#at++;
    for (;;) {
      this.#value(depth + 1);
      const next = this.#space();
      if (next !== "," && next !== "]") this.#fail("after array element");
      this.#at++;
      if (next === "]") return;
    }
  }
}

/** Why `text` is no JSON; `undefined` when it is. */
export function jsonSyntaxError(text: string): string | undefined {
  try {
    new Parser(text).document();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    if (error instanceof RangeError) return "exceeded max depth";
    throw error;
  }
}
