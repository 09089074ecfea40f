/** One fault of one field, in the words of apimachinery's pkg/util/validation/field/errors.go. */

export type FieldErrorReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueNotFound"
  | "FieldValueTypeInvalid"
  | "InternalError";

export interface FieldError {
  reason: FieldErrorReason;
  /** Dotted path as upstream prints it: `spec.containers[0].name`. */
  field: string;
  /** Text after the path, with the kind of the error: `Invalid value: "x": must be …`. */
  message: string;
}

const show = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? JSON.stringify(value, sortedMaps).replaceAll(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)
    : (JSON.stringify(value) ?? "null");

/** Go prints maps by key: what has texts only, unless it is a struct of upstream's own, whose names begin large. */
function sortedMaps(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  if (entries.some(([key, item]) => typeof item !== "string" || /^[A-Z]/.test(key))) return value;
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export const fieldRequired = (field: string, detail = ""): FieldError => ({
  reason: "FieldValueRequired",
  field,
  message: detail === "" ? "Required value" : `Required value: ${detail}`,
});

export const fieldInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${show(value)}${detail === "" ? "" : `: ${detail}`}`,
});

export const fieldTypeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  reason: "FieldValueTypeInvalid",
  field,
  message: `Invalid value: ${show(value)}: ${detail}`,
});

export const fieldNotSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  reason: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${show(value)}: supported values: ${supported.map((s) => JSON.stringify(s)).join(", ")}`,
});

export const fieldDuplicate = (field: string, value: unknown): FieldError => ({
  reason: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${show(value)}`,
});

export const fieldForbidden = (field: string, detail: string): FieldError => ({
  reason: "FieldValueForbidden",
  field,
  message: `Forbidden: ${detail}`,
});

export const fieldTooLong = (field: string, maxLength: number): FieldError => ({
  reason: "FieldValueTooLong",
  field,
  message:
    maxLength < 0
      ? "Too long: value is too long"
      : `Too long: may not be more than ${maxLength} ${maxLength === 1 ? "byte" : "bytes"}`,
});

export const fieldTooMany = (field: string, actual: number, max: number): FieldError => ({
  reason: "FieldValueTooMany",
  field,
  message:
    max < 0
      ? `Too many: ${actual}: has too many items`
      : `Too many: ${actual}: must have at most ${max} ${max === 1 ? "item" : "items"}`,
});

export const fieldNotFound = (field: string, value: unknown): FieldError => ({
  reason: "FieldValueNotFound",
  field,
  message: `Not found: ${show(value)}`,
});
