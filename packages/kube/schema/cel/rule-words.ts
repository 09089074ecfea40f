/** How a rule is stated, before it is read: its words, its reason, and the field it blames. */
import type { FieldError } from "../../api/field-error.ts";
import { fieldInvalid, fieldNotSupported, fieldRequired } from "../../api/field-error.ts";
import { findField } from "../field-path.ts";
import type { JsonObject } from "../json-value.ts";

const REASONS: readonly string[] = [
  "FieldValueDuplicate",
  "FieldValueForbidden",
  "FieldValueInvalid",
  "FieldValueRequired",
];
const NO_BREAKS = "must not contain line breaks";

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const broken = (words: string): boolean => /[\n\r]/.test(words);

/** Faults of the words of one rule. */
export function wordFaults(schema: JsonObject, rule: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const [expression, message] = [text(rule["rule"]).trim(), text(rule["message"])];
  if (expression === "") errors.push(fieldRequired(`${path}.rule`, "rule is not specified"));
  else if (message !== "" && message.trim() === "")
    errors.push(fieldInvalid(`${path}.message`, message, "must be non-empty if specified"));
  else if (broken(message.trim())) errors.push(fieldInvalid(`${path}.message`, message, NO_BREAKS));
  else if (broken(expression) && message.trim() === "")
    errors.push(fieldRequired(`${path}.message`, "message must be specified if rule contains line breaks"));
  const messageExpression = text(rule["messageExpression"]);
  if (messageExpression !== "" && messageExpression.trim() === "")
    errors.push(fieldRequired(`${path}.messageExpression`, "messageExpression must be non-empty if specified"));
  const reason = rule["reason"];
  if (typeof reason === "string" && !REASONS.includes(reason))
    errors.push(fieldNotSupported(`${path}.reason`, reason, REASONS));
  const fieldPath = text(rule["fieldPath"]);
  if (fieldPath === "") return errors;
  if (fieldPath.trim() === "")
    errors.push(fieldInvalid(`${path}.fieldPath`, fieldPath, "must be non-empty if specified"));
  if (broken(fieldPath)) errors.push(fieldInvalid(`${path}.fieldPath`, fieldPath, NO_BREAKS));
  if (typeof findField(schema, fieldPath) === "string")
    errors.push(fieldInvalid(`${path}.fieldPath`, fieldPath, "must be a valid path"));
  return errors;
}
