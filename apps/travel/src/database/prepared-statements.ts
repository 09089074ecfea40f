import type { PreparedText } from "./engine/session.ts";
import { errors } from "./errors.ts";
import type { ParameterType } from "./wire/statement-parameters.ts";

/** MySQL's own default of max_prepared_stmt_count, for each connection. */
const MOST = 16_382;

export interface PreparedEntry {
  readonly text: PreparedText;
  readonly parameters: number;
  types: readonly ParameterType[];
  readonly longData: Map<number, Buffer>;
}

/** The prepared statements of one connection. */
export class PreparedStatements {
  readonly #entries = new Map<number, PreparedEntry>();
  #nextId = 1;

  add(text: PreparedText, parameters: number): number {
    if (this.#entries.size >= MOST) throw errors.notSupported(`more than ${MOST} prepared statements`);
    const id = this.#nextId++;
    this.#entries.set(id, { text, parameters, types: [], longData: new Map() });
    return id;
  }

  get(id: number, command: string): PreparedEntry {
    const entry = this.#entries.get(id);
    if (!entry) throw errors.unknownStatement(id, command);
    return entry;
  }

  close(id: number): void {
    this.#entries.delete(id);
  }

  clear(): void {
    this.#entries.clear();
  }
}
