import type { DatabaseSync } from "node:sqlite";
import { FUNCTIONS } from "../functions/catalogue.ts";
import { toText, type FunctionState, type SqlValue } from "../functions/definition.ts";

/** Gives a connection the functions of MySQL; `failed` hears of errors that SQLite would only quote. */
export function registerFunctions(
  database: DatabaseSync,
  state: FunctionState,
  failed: (error: unknown) => void,
): void {
  for (const [name, definition] of Object.entries(FUNCTIONS)) {
    const { apply, aggregate } = definition;
    const sqliteName = `my_${name.toLowerCase()}`;
    if (apply) {
      const options = { varargs: true, useBigIntArguments: true, deterministic: definition.volatile !== true };
      database.function(sqliteName, options, (...args) => {
        try {
          return apply(state, ...(args as SqlValue[]));
        } catch (error) {
          failed(error);
          throw error;
        }
      });
    }
    if (aggregate) {
      defineAggregate<SqlValue[]>(database, sqliteName, {
        start: () => aggregate.start(),
        step: (values, value) => {
          values.push(value);
          return values;
        },
        result: (values) => aggregate.finish(values),
      });
    }
  }
  registerGroupConcat(database, "my_group_concat", false);
  registerGroupConcat(database, "my_group_concat_distinct", true);
}

interface Gathered {
  readonly texts: string[];
  separator: string;
}

function registerGroupConcat(database: DatabaseSync, name: string, distinct: boolean): void {
  defineAggregate<Gathered>(database, name, {
    start: () => ({ texts: [], separator: "," }),
    step: (gathered, value, separator = ",") => {
      const text = toText(value);
      if (text === null || (distinct && gathered.texts.includes(text))) return gathered;
      gathered.texts.push(text);
      gathered.separator = toText(separator) ?? ",";
      return gathered;
    },
    result: ({ texts, separator }) => (texts.length === 0 ? null : texts.join(separator)),
  });
}

interface Aggregate<State> {
  start(): State;
  step(state: State, ...values: SqlValue[]): State;
  result(state: State): SqlValue;
}

/** SQLite keeps any JavaScript value as an aggregate's state; only its types say otherwise. */
function defineAggregate<State>(database: DatabaseSync, name: string, aggregate: Aggregate<State>): void {
  const options = { ...aggregate, useBigIntArguments: true, varargs: true };
  database.aggregate(name, options as unknown as Parameters<DatabaseSync["aggregate"]>[1]);
}
