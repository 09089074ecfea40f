import { errors } from "../errors.ts";
import { FieldType } from "../wire/constants.ts";
import { fragment, literal, type Fragment, type Translation } from "./translation.ts";
import { DATE, DATETIME, text } from "./value-type.ts";

export interface Interval {
  readonly amount: Fragment;
  readonly unit: string;
}

const UNITS = ["MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

/** A unit of time: SECOND, DAY … */
export function parseUnit(translation: Translation): string {
  const { cursor } = translation;
  const token = cursor.next();
  const unit = token.upper.replace(/^SQL_TSI_/, "");
  if (UNITS.includes(unit)) return unit;
  if (/^[A-Z]+_[A-Z]+$/.test(unit)) throw errors.notSupported(`the interval unit ${unit}`);
  throw cursor.error(token);
}

/** `INTERVAL amount unit`. */
export function parseInterval(translation: Translation): Interval {
  translation.cursor.expect("INTERVAL");
  const amount = translation.expression();
  return { amount, unit: parseUnit(translation) };
}

/** A point in time moved by an interval. */
export function intervalAdd(base: Fragment, interval: Interval, sign: 1 | -1): Fragment {
  const amount = sign === 1 ? interval.amount.sql : `(-${interval.amount.sql})`;
  const sql = `my_date_add_unit(${base.sql}, ${amount}, ${literal(interval.unit)})`;
  return fragment(sql, () => {
    const { code } = base.type();
    const wholeDays = ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"].includes(interval.unit);
    if (code === FieldType.DATE) return wholeDays ? DATE : DATETIME;
    return code === FieldType.DATETIME || code === FieldType.TIMESTAMP ? DATETIME : text(29);
  });
}
