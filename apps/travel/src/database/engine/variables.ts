import { errors } from "../errors.ts";
import { INTEGER, text, type ValueType } from "../sql/value-type.ts";
import { charsetNamed, collationNamed } from "../wire/charset.ts";
import { SERVER_VERSION } from "../wire/constants.ts";

export type VariableValue = string | number;

interface VariableRow {
  readonly value: VariableValue;
  /** Cannot be set at all; "taken" can be set to anything, which changes nothing here. */
  readonly rule: "readOnly" | "taken" | "switch" | "charset" | "collation" | "number";
}

const fixed = (value: VariableValue): VariableRow => ({ value, rule: "readOnly" });
const number = (value: number): VariableRow => ({ value, rule: "number" });
const on = (value: 0 | 1): VariableRow => ({ value, rule: "switch" });
const charset = (): VariableRow => ({ value: "utf8mb4", rule: "charset" });
const collation = (): VariableRow => ({ value: "utf8mb4_0900_ai_ci", rule: "collation" });

const VARIABLES: Readonly<Record<string, VariableRow>> = {
  auto_increment_increment: fixed(1),
  auto_increment_offset: fixed(1),
  autocommit: on(1),
  character_set_client: charset(),
  character_set_connection: charset(),
  character_set_database: charset(),
  character_set_results: charset(),
  character_set_server: charset(),
  character_set_system: fixed("utf8"),
  collation_connection: collation(),
  collation_database: collation(),
  collation_server: collation(),
  default_authentication_plugin: fixed("caching_sha2_password"),
  default_storage_engine: { value: "InnoDB", rule: "taken" },
  foreign_key_checks: on(1),
  have_ssl: fixed("DISABLED"),
  hostname: fixed("mysqldb"),
  init_connect: fixed(""),
  innodb_lock_wait_timeout: number(50),
  interactive_timeout: number(28800),
  license: fixed("Apache-2.0"),
  lower_case_table_names: fixed(0),
  max_allowed_packet: number(67108864),
  max_connections: number(151),
  max_execution_time: number(0),
  net_buffer_length: fixed(16384),
  net_read_timeout: number(30),
  net_write_timeout: number(60),
  performance_schema: fixed(0),
  port: fixed(3306),
  protocol_version: fixed(10),
  query_cache_size: fixed(0),
  query_cache_type: fixed("OFF"),
  sql_auto_is_null: on(0),
  sql_log_bin: on(1),
  sql_mode: {
    value:
      "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    rule: "taken",
  },
  sql_notes: on(1),
  sql_quote_show_create: on(1),
  sql_safe_updates: on(0),
  sql_select_limit: { value: "18446744073709551615", rule: "taken" },
  sql_warnings: on(0),
  system_time_zone: fixed("UTC"),
  time_zone: { value: "SYSTEM", rule: "taken" },
  transaction_isolation: { value: "REPEATABLE-READ", rule: "taken" },
  transaction_read_only: on(0),
  tx_isolation: { value: "REPEATABLE-READ", rule: "taken" },
  tx_read_only: on(0),
  unique_checks: on(1),
  version: fixed(SERVER_VERSION),
  version_comment: fixed("TravelOps: SQLite behind MySQL's protocol"),
  version_compile_machine: fixed(process.arch),
  version_compile_os: fixed(process.platform),
  wait_timeout: number(28800),
};

/** The system variables of a session. */
export class Variables {
  readonly #changed = new Map<string, VariableValue>();

  #row(name: string): VariableRow {
    const row = Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined;
    if (!row) throw errors.unknownVariable(name);
    return row;
  }

  get(name: string): VariableValue {
    return this.#changed.get(name) ?? this.#row(name).value;
  }

  is(name: string): boolean {
    return this.get(name) === 1;
  }

  mode(name: string): boolean {
    return String(this.get("sql_mode")).toUpperCase().split(",").includes(name);
  }

  typeOf(name: string): ValueType {
    return typeof this.get(name) === "number" ? INTEGER : text(255);
  }

  set(name: string, value: VariableValue | null): void {
    const row = this.#row(name);
    if (row.rule === "readOnly") throw errors.readOnlyVariable(name);
    this.#changed.set(name, checked(name, row, value));
  }

  reset(): void {
    this.#changed.clear();
  }

  all(): [string, string][] {
    return Object.keys(VARIABLES).map((name) => {
      const value = this.get(name);
      const shown = VARIABLES[name]?.rule === "switch" ? (value === 1 ? "ON" : "OFF") : String(value);
      return [name, shown];
    });
  }
}

function checked(name: string, row: VariableRow, value: VariableValue | null): VariableValue {
  const text = String(value);
  const word = text.toUpperCase();
  if (word === "DEFAULT") return row.value;
  switch (row.rule) {
    case "switch":
      if (word === "ON" || word === "1" || word === "TRUE") return 1;
      if (word === "OFF" || word === "0" || word === "FALSE") return 0;
      throw errors.wrongVariableValue(name, text);
    case "number":
      if (!/^\d+$/.test(text)) throw errors.wrongVariableValue(name, text);
      return Number(text);
    case "charset":
      if (value === null) return "binary";
      if (!charsetNamed(text)) throw errors.notSupported(`character set ${text}`);
      return charsetNamed(text)?.name ?? text;
    case "collation":
      if (!collationNamed(text)) throw errors.notSupported(`collation ${text}`);
      return text.toLowerCase();
    default:
      if (name === "time_zone" && !["SYSTEM", "UTC", "+00:00", "-00:00"].includes(word)) {
        throw errors.notSupported(`the time zone ${text}`);
      }
      return text;
  }
}
