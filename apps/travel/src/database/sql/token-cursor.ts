import { errors } from "../errors.ts";
import { syntaxErrorAt, type Token } from "./tokenizer.ts";

/** Walks over the tokens of one statement. */
export class TokenCursor {
  readonly sql: string;
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(sql: string, tokens: readonly Token[]) {
    this.sql = sql;
    this.#tokens = tokens;
  }

  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)];
    if (!token) throw errors.emptyQuery();
    return token;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== "end") this.#index++;
    return token;
  }

  /** Where the token before this one ended. */
  get lastEnd(): number {
    return this.#tokens[this.#index - 1]?.end ?? 0;
  }

  mark(): number {
    return this.#index;
  }

  reset(mark: number): void {
    this.#index = mark;
  }

  error(token: Token = this.peek()): Error {
    return syntaxErrorAt(this.sql, token.start);
  }

  /** Whether the next tokens are these words or operators. */
  at(...words: readonly string[]): boolean {
    return words.every((word, index) => this.peek(index).upper === word);
  }

  atAny(...words: readonly string[]): boolean {
    const { upper } = this.peek();
    return upper !== "" && words.includes(upper);
  }

  /** Takes the words if they are all next. */
  take(...words: readonly string[]): boolean {
    if (!this.at(...words)) return false;
    this.#index += words.length;
    return true;
  }

  takeAny(...words: readonly string[]): string | undefined {
    return this.atAny(...words) ? this.next().upper : undefined;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.take(word)) throw this.error();
  }

  atEnd(): boolean {
    return this.peek().kind === "end" || this.at(";");
  }

  expectEnd(): void {
    if (!this.atEnd()) throw this.error();
  }

  /** A name: quoted, or a word. */
  identifier(): string {
    const token = this.peek();
    if (token.kind !== "word" && token.kind !== "quoted") throw this.error();
    return this.next().value;
  }

  /** A name or a string, as account names and charset names may be given. */
  nameOrString(): string {
    return this.peek().kind === "string" ? this.next().value : this.identifier();
  }

  string(): string {
    if (this.peek().kind !== "string") throw this.error();
    return this.next().value;
  }

  integer(): number {
    const token = this.peek();
    if (token.kind !== "number" || !/^\d+$/.test(token.value)) throw this.error();
    return Number(this.next().value);
  }

  /** `item, item, …` */
  list<Item>(item: () => Item): Item[] {
    const items = [item()];
    while (this.take(",")) items.push(item());
    return items;
  }

  parenthesised<Item>(item: () => Item): Item {
    this.expect("(");
    const value = item();
    this.expect(")");
    return value;
  }
}
