import { errors } from "../errors.ts";
import { lookUpFunction } from "../functions/catalogue.ts";
import type { FunctionDefinition } from "../functions/definition.ts";
import { charsetNamed } from "../wire/charset.ts";
import { parseDataType, sqliteType, valueTypeOf } from "./data-type.ts";
import { intervalAdd, parseInterval, parseUnit } from "./interval.ts";
import { fragment, literal, quoted, type Fragment, type Translation } from "./translation.ts";
import { BYTES, DATE, DATETIME, decimal, DOUBLE, INTEGER, JSON_TYPE, LONG_TEXT, text, TIME } from "./value-type.ts";

/** Functions that may be called without parentheses. */
const BARE = new Set([
  "CURRENT_TIMESTAMP",
  "CURRENT_DATE",
  "CURRENT_TIME",
  "CURRENT_USER",
  "LOCALTIME",
  "LOCALTIMESTAMP",
  "UTC_DATE",
  "UTC_TIME",
  "UTC_TIMESTAMP",
]);

type Special = (translation: Translation) => Fragment;

/** Calls whose arguments have a grammar of their own; the parenthesis is open already. */
const SPECIAL: Readonly<Record<string, Special>> = {
  CAST: (translation) => {
    const value = translation.expression();
    translation.cursor.expect("AS");
    return castTo(translation, value);
  },
  CONVERT: (translation) => {
    const { cursor } = translation;
    const value = translation.expression();
    if (!cursor.take("USING")) {
      cursor.expect(",");
      return castTo(translation, value);
    }
    const charset = cursor.nameOrString();
    if (!charsetNamed(charset)) throw errors.notSupported(`character set ${charset}`);
    return fragment(`CAST(${value.sql} AS TEXT)`, LONG_TEXT);
  },
  EXTRACT: (translation) => {
    const unit = parseUnit(translation);
    translation.cursor.expect("FROM");
    return fragment(`my_${unit.toLowerCase()}(${translation.expression().sql})`, INTEGER);
  },
  TRIM: trim,
  SUBSTRING: substring,
  SUBSTR: substring,
  MID: substring,
  POSITION: (translation) => {
    const needle = translation.expression(8);
    translation.cursor.expect("IN");
    return fragment(`my_locate(${needle.sql}, ${translation.expression().sql})`, INTEGER);
  },
  DATE_ADD: (translation) => moved(translation, 1),
  ADDDATE: (translation) => moved(translation, 1),
  DATE_SUB: (translation) => moved(translation, -1),
  SUBDATE: (translation) => moved(translation, -1),
  TIMESTAMPADD: (translation) => {
    const { cursor } = translation;
    const unit = parseUnit(translation);
    cursor.expect(",");
    const amount = translation.expression();
    cursor.expect(",");
    return intervalAdd(translation.expression(), { amount, unit }, 1);
  },
  TIMESTAMPDIFF: (translation) => {
    const { cursor } = translation;
    const unit = parseUnit(translation);
    cursor.expect(",");
    const from = translation.expression();
    cursor.expect(",");
    const to = translation.expression();
    return fragment(`my_timestampdiff_unit(${literal(unit)}, ${from.sql}, ${to.sql})`, INTEGER);
  },
  COUNT: (translation) => {
    const { cursor } = translation;
    if (cursor.take("*")) return fragment("count(*)", INTEGER);
    const distinct = cursor.take("DISTINCT");
    const values = cursor.list(() => translation.expression());
    const [only] = values;
    if (values.length === 1 && only) return fragment(`count(${distinct ? "DISTINCT " : ""}${only.sql})`, INTEGER);
    if (!distinct) throw cursor.error();
    // MySQL leaves out rows with a NULL in any of the expressions, as an array of them does not.
    const whole = values.map((value) => `${value.sql} IS NOT NULL`).join(" AND ");
    return fragment(
      `count(DISTINCT iif(${whole}, json_array(${values.map((each) => each.sql).join(", ")}), NULL))`,
      INTEGER,
    );
  },
  GROUP_CONCAT: groupConcat,
  VALUES: (translation) => {
    const name = translation.cursor.identifier();
    const { scope } = translation;
    return fragment(`excluded.${quoted(name)}`, () => scope.typeOf(undefined, name));
  },
};

/** A function's call, where one begins here. */
export function parseCall(translation: Translation): Fragment | undefined {
  const { cursor } = translation;
  const token = cursor.peek();
  if (cursor.peek(1).upper !== "(") {
    if (!BARE.has(token.upper)) return undefined;
    cursor.next();
    return fragment(`my_${token.value.toLowerCase()}()`, bareType(token.upper));
  }
  const special = Object.hasOwn(SPECIAL, token.upper) ? SPECIAL[token.upper] : undefined;
  const found = lookUpFunction(token.upper);
  if (!special && found.kind === "unsupported") throw errors.notSupported(`${token.upper}()`);
  if (!special && found.kind === "unknown") {
    if (token.upper === "DEFAULT") throw errors.notSupported("DEFAULT(column)");
    throw unknownFunction(translation, token.value);
  }
  cursor.next();
  cursor.expect("(");
  let call: Fragment;
  if (special) call = special(translation);
  else if (found.kind === "known") call = ordinaryCall(translation, found.name, found.definition);
  else throw cursor.error(token);
  cursor.expect(")");
  return cursor.at("OVER") ? windowed(translation, call) : call;
}

function bareType(name: string) {
  if (name === "CURRENT_USER") return text(288);
  if (name.endsWith("DATE")) return DATE;
  return name === "CURRENT_TIME" || name === "UTC_TIME" ? TIME : DATETIME;
}

function unknownFunction(translation: Translation, name: string): Error {
  const { database } = translation.environment;
  return database === undefined ? errors.functionMissing(name) : errors.functionMissing(`${database}.${name}`);
}

function ordinaryCall(translation: Translation, name: string, definition: FunctionDefinition): Fragment {
  const { cursor } = translation;
  const distinct = definition.window === true && cursor.take("DISTINCT") ? "DISTINCT " : "";
  const args = cursor.at(")") ? [] : cursor.list(() => translation.expression());
  const [minimum, maximum] = definition.arguments;
  if (args.length < minimum || args.length > maximum) throw errors.functionArguments(name);
  const texts = args.map((arg, index) => (index === 0 ? distinct + arg.sql : arg.sql));
  const sql = definition.emit ? definition.emit(texts) : `my_${name.toLowerCase()}(${texts.join(", ")})`;
  const { type } = definition;
  return fragment(sql, () =>
    typeof type === "function"
      ? type(
          args.map((arg) => arg.type()),
          args,
        )
      : type,
  );
}

function castTo(translation: Translation, value: Fragment): Fragment {
  const { cursor } = translation;
  if (cursor.takeAny("SIGNED", "UNSIGNED") !== undefined) {
    cursor.takeAny("INTEGER", "INT");
    return fragment(`CAST(my_round(${value.sql}) AS INTEGER)`, INTEGER);
  }
  const wanted = cursor.peek().upper;
  const type = parseDataType(cursor);
  switch (wanted) {
    case "DECIMAL":
    case "DEC":
    case "NUMERIC":
      return fragment(`my_round(${value.sql}, ${type.scale ?? 0})`, decimal(type.scale ?? 0));
    case "DOUBLE":
    case "REAL":
    case "FLOAT":
      return fragment(`CAST(${value.sql} AS REAL)`, DOUBLE);
    case "DATE":
      return fragment(`my_date(${value.sql})`, DATE);
    case "DATETIME":
      return fragment(`my_timestamp(${value.sql})`, DATETIME);
    case "TIME":
      return fragment(`my_time(${value.sql})`, TIME);
    case "JSON":
      return fragment(`json(${value.sql})`, JSON_TYPE);
    case "BINARY":
      return fragment(`CAST(${value.sql} AS BLOB)`, BYTES);
    case "CHAR":
    case "CHARACTER":
    case "NCHAR": {
      const cut = type.length !== undefined && cursor.sql.slice(0, cursor.lastEnd).endsWith(")");
      const sql = cut ? `my_left(${value.sql}, ${type.length})` : `my_concat(${value.sql})`;
      return fragment(sql, cut ? text(type.length) : LONG_TEXT);
    }
    default:
      return fragment(`CAST(${value.sql} AS ${sqliteType(type)})`, valueTypeOf(type));
  }
}

function trim(translation: Translation): Fragment {
  const { cursor } = translation;
  const side = cursor.takeAny("LEADING", "TRAILING", "BOTH") ?? "BOTH";
  const first = cursor.at("FROM") ? fragment("' '", text(1)) : translation.expression();
  if (!cursor.take("FROM")) return fragment(`my_trim(${first.sql})`, text());
  const value = translation.expression();
  return fragment(`my_trim(${value.sql}, ${first.sql}, '${side}')`, text());
}

function substring(translation: Translation): Fragment {
  const { cursor } = translation;
  const args = [translation.expression()];
  const words = cursor.at("FROM");
  if (!words) cursor.expect(",");
  else cursor.expect("FROM");
  args.push(translation.expression());
  if (words ? cursor.take("FOR") : cursor.take(",")) args.push(translation.expression());
  return fragment(`my_substring(${args.map((arg) => arg.sql).join(", ")})`, text());
}

/** DATE_ADD and its kin: an interval, or a plain number of days. */
function moved(translation: Translation, sign: 1 | -1): Fragment {
  const { cursor } = translation;
  const base = translation.expression();
  cursor.expect(",");
  const interval = cursor.at("INTERVAL")
    ? parseInterval(translation)
    : { amount: translation.expression(), unit: "DAY" };
  return intervalAdd(base, interval, sign);
}

function groupConcat(translation: Translation): Fragment {
  const { cursor } = translation;
  const distinct = cursor.take("DISTINCT");
  const values = cursor.list(() => translation.expression());
  const [only] = values;
  const value = values.length === 1 && only ? only.sql : `my_concat(${values.map((each) => each.sql).join(", ")})`;
  const order = cursor.take("ORDER", "BY") ? ` ORDER BY ${orderItems(translation)}` : "";
  const separator = cursor.take("SEPARATOR") ? literal(cursor.string()) : "','";
  const name = distinct ? "my_group_concat_distinct" : "my_group_concat";
  return fragment(`${name}(${value}, ${separator}${order})`, LONG_TEXT);
}

/** `expression [ASC|DESC], …` */
export function orderItems(translation: Translation): string {
  const { cursor } = translation;
  const items = cursor.list(() => {
    const item = translation.expression().sql;
    const direction = cursor.takeAny("ASC", "DESC");
    return direction === undefined ? item : `${item} ${direction}`;
  });
  return items.join(", ");
}

function windowed(translation: Translation, call: Fragment): Fragment {
  const { cursor } = translation;
  cursor.expect("OVER");
  if (!cursor.at("(")) return fragment(`${call.sql} OVER ${quoted(cursor.identifier())}`, call.type);
  return fragment(`${call.sql} OVER (${cursor.parenthesised(() => windowSpecification(translation))})`, call.type);
}

/** What stands in the parentheses of OVER and WINDOW. */
export function windowSpecification(translation: Translation): string {
  const { cursor } = translation;
  const parts: string[] = [];
  if (cursor.take("PARTITION", "BY")) {
    parts.push(`PARTITION BY ${cursor.list(() => translation.expression().sql).join(", ")}`);
  }
  if (cursor.take("ORDER", "BY")) parts.push(`ORDER BY ${orderItems(translation)}`);
  const unit = cursor.takeAny("ROWS", "RANGE");
  if (unit !== undefined) {
    if (cursor.take("BETWEEN")) {
      const from = frameBound(translation);
      cursor.expect("AND");
      parts.push(`${unit} BETWEEN ${from} AND ${frameBound(translation)}`);
    } else parts.push(`${unit} ${frameBound(translation)}`);
  }
  return parts.join(" ");
}

function frameBound(translation: Translation): string {
  const { cursor } = translation;
  if (cursor.take("CURRENT", "ROW")) return "CURRENT ROW";
  const distance = cursor.take("UNBOUNDED") ? "UNBOUNDED" : translation.expression().sql;
  const side = cursor.takeAny("PRECEDING", "FOLLOWING");
  if (side === undefined) throw cursor.error();
  return `${distance} ${side}`;
}
