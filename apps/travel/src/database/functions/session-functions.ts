import { INTEGER, text } from "../sql/value-type.ts";
import { SERVER_VERSION } from "../wire/constants.ts";
import { toNumber, toText, type FunctionDefinition, type FunctionTable } from "./definition.ts";

const user: FunctionDefinition = { arguments: [0, 0], type: text(288), volatile: true, apply: (state) => state.user };
const database: FunctionDefinition = {
  arguments: [0, 0],
  type: text(64),
  volatile: true,
  apply: (state) => state.database ?? null,
};

/** Functions whose results belong to the connection. */
export const SESSION_FUNCTIONS: FunctionTable = {
  DATABASE: database,
  SCHEMA: database,
  USER: user,
  SESSION_USER: user,
  SYSTEM_USER: user,
  CURRENT_USER: { arguments: [0, 0], type: text(288), volatile: true, apply: (state) => state.account },
  VERSION: { arguments: [0, 0], type: text(60), apply: () => SERVER_VERSION },
  CONNECTION_ID: { arguments: [0, 0], type: INTEGER, volatile: true, apply: (state) => BigInt(state.connectionId) },
  LAST_INSERT_ID: {
    arguments: [0, 1],
    type: INTEGER,
    volatile: true,
    apply: (state, ...args) => {
      if (args.length > 0) state.lastInsertId = BigInt(Math.round(toNumber(args[0]) ?? 0));
      return state.lastInsertId;
    },
  },
  ROW_COUNT: { arguments: [0, 0], type: INTEGER, volatile: true, apply: (state) => state.rowCount },
  USER_VARIABLE: {
    arguments: [1, 1],
    type: text(),
    volatile: true,
    apply: (state, name) => state.userVariables.get(toText(name) ?? "") ?? null,
  },
  SET_USER_VARIABLE: {
    arguments: [2, 2],
    type: text(),
    volatile: true,
    apply: (state, name, value) => {
      state.userVariables.set(toText(name) ?? "", value ?? null);
      return value ?? null;
    },
  },
  VIRTUAL_ROWS: {
    arguments: [2, 2],
    type: text(),
    volatile: true,
    apply: (state, schema, table) => {
      const rows = state.virtualRows(toText(schema) ?? "", toText(table) ?? "");
      return JSON.stringify(rows, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
    },
  },
};
