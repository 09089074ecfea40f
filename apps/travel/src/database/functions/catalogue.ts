import { DATE_FUNCTIONS } from "./date-functions.ts";
import type { FunctionDefinition, FunctionTable } from "./definition.ts";
import { NUMBER_FUNCTIONS } from "./number-functions.ts";
import { SESSION_FUNCTIONS } from "./session-functions.ts";
import { TEXT_FUNCTIONS } from "./text-functions.ts";

/** Every function this server knows, by its name in upper case. */
export const FUNCTIONS: FunctionTable = {
  ...TEXT_FUNCTIONS,
  ...NUMBER_FUNCTIONS,
  ...DATE_FUNCTIONS,
  ...SESSION_FUNCTIONS,
};

const ALIASES: Readonly<Record<string, string>> = { SUBSTR: "SUBSTRING", MID: "SUBSTRING", POSITION: "LOCATE" };

/** Names that only our own translations use. */
const INTERNAL = new Set([
  "LIKE",
  "DATE_ADD_UNIT",
  "TIMESTAMPDIFF_UNIT",
  "USER_VARIABLE",
  "SET_USER_VARIABLE",
  "VIRTUAL_ROWS",
]);

/** Functions of MySQL that this server does not have; others do not exist at all. */
const UNSUPPORTED = new Set(
  (
    "SLEEP BENCHMARK GET_LOCK RELEASE_LOCK RELEASE_ALL_LOCKS IS_FREE_LOCK IS_USED_LOCK FOUND_ROWS LOAD_FILE CHARSET COLLATION " +
    "COERCIBILITY SOUNDEX CONVERT_TZ PERIOD_ADD PERIOD_DIFF ADDTIME SUBTIME TIMEDIFF MAKETIME TIME_FORMAT TO_SECONDS YEARWEEK " +
    "GET_FORMAT AES_ENCRYPT AES_DECRYPT COMPRESS UNCOMPRESS RANDOM_BYTES INET_ATON INET_NTOA INET6_ATON INET6_NTOA UUID_SHORT " +
    "JSON_TABLE JSON_SEARCH JSON_CONTAINS JSON_CONTAINS_PATH JSON_KEYS JSON_LENGTH JSON_DEPTH JSON_TYPE JSON_MERGE_PATCH " +
    "JSON_MERGE_PRESERVE JSON_OVERLAPS JSON_PRETTY JSON_SCHEMA_VALID JSON_VALUE JSON_QUOTE JSON_ARRAY_APPEND JSON_ARRAY_INSERT " +
    "EXTRACTVALUE UPDATEXML GROUPING NAME_CONST MASTER_POS_WAIT WEIGHT_STRING EXPORT_SET MAKE_SET BIT_COUNT BIT_LENGTH COT CHAR " +
    "DES_ENCRYPT PASSWORD STATEMENT_DIGEST ST_DISTANCE ST_GEOMFROMTEXT ROLES_GRAPHML CURRENT_ROLE"
  ).split(" "),
);

export type FunctionLookup =
  | { readonly kind: "known"; readonly name: string; readonly definition: FunctionDefinition }
  | { readonly kind: "unsupported" }
  | { readonly kind: "unknown" };

/** Finds a function by its name in upper case. */
export function lookUpFunction(upper: string): FunctionLookup {
  const name = ALIASES[upper] ?? upper;
  if (UNSUPPORTED.has(name)) return { kind: "unsupported" };
  if (INTERNAL.has(name) || !Object.hasOwn(FUNCTIONS, name)) return { kind: "unknown" };
  const definition = FUNCTIONS[name];
  return definition ? { kind: "known", name, definition } : { kind: "unknown" };
}
