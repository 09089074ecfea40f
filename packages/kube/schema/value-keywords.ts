/** The keywords of JSON Schema that limit a value by itself: those that every version of OpenAPI knows. */
export const VALUE_KEYWORDS: readonly string[] = [
  "enum",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
  "required",
  "format",
];
