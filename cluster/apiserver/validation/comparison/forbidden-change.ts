/** Faults of updates that show what they refuse in upstream's internal form. */
import { fieldForbidden, type FieldError } from "@travelops/kube";
import { internalLines, internalText } from "./internal-value.ts";
import { unifiedDiff } from "./unified-diff.ts";

/** `fault`, and below it what changes from `before` to `after`, both of the internal type `type`. */
export const forbiddenChange = (
  field: string,
  fault: string,
  type: string,
  before: unknown,
  after: unknown,
): FieldError =>
  fieldForbidden(field, `${fault}\n${unifiedDiff(internalLines(type, before), internalLines(type, after))}`);

/** The new value of a field that may not change. */
export const immutableValue = (field: string, type: string, value: unknown): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${internalText(type, value)}: field is immutable`,
});
