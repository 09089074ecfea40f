/** Checks of single values, in upstream's words. Each adds what it finds to `errors`. */
import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  type FieldError,
} from "@travelops/kube";
import { formatQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { isIP } from "node:net";
import { child, entries, type Fields, items, list, strings, text } from "./fields.ts";

export type Errors = FieldError[];

const regex = (what: string, examples: string, pattern: string): string =>
  `${what} (e.g. ${examples}, regex used for validation is '${pattern}')`;

const LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const SUBDOMAIN = `${LABEL_1123}(\\.${LABEL_1123})*`;

const SUBDOMAIN_TEXT = regex(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  "'example.com'",
  SUBDOMAIN,
);
const SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const SEARCH = `${SEARCH_LABEL}(\\.${SEARCH_LABEL})*`;
const SEARCH_TEXT = regex(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  "'example.com'",
  SEARCH,
);
const LABEL_TEXT = regex(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  "'my-name',  or '123-abc'",
  LABEL_1123,
);
const DNS_1035_TEXT = regex(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  "'my-name',  or 'abc-123'",
  LABEL_1035,
);
const QUALIFIED_WORDS =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const QUALIFIED_EXAMPLES = "'MyName',  or 'my.name',  or '123-abc'";
const LABEL_VALUE_TEXT = regex(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  "'MyValue',  or 'my_value',  or '12345'",
  `(${QUALIFIED})?`,
);
const WILDCARD_TEXT = regex(
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  "'*.example.com'",
  `\\*\\.${SUBDOMAIN}`,
);
const CONFIG_KEY_TEXT = regex(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  "'key.name',  or 'KEY_NAME',  or 'key-name'",
  "[-._a-zA-Z0-9]+",
);
const PERCENT_TEXT = regex(
  "a valid percent string must be a numeric string followed by an ending '%'",
  "'1%',  or '93%'",
  "[0-9]+%",
);

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);
const RE_LABEL = whole(LABEL_1123);
const RE_1035 = whole(LABEL_1035);
const RE_SUBDOMAIN = whole(SUBDOMAIN);
const RE_QUALIFIED = whole(QUALIFIED);
const RE_WILDCARD = whole(`\\*\\.${SUBDOMAIN}`);

/** A check of a text: what is wrong with it. */
export type TextCheck = (value: string) => readonly string[];

const limited =
  (max: number, pattern: RegExp, message: string): TextCheck =>
  (value) => [
    ...(Buffer.byteLength(value) > max ? [`must be no more than ${max} characters`] : []),
    ...(pattern.test(value) ? [] : [message]),
  ];

export const dnsLabel: TextCheck = (value) => [
  ...(value.length > 63 ? ["must be no more than 63 characters"] : []),
  ...(RE_LABEL.test(value) ? [] : [RE_SUBDOMAIN.test(value) ? "must not contain dots" : LABEL_TEXT]),
];
export const dnsSubdomain = limited(253, RE_SUBDOMAIN, SUBDOMAIN_TEXT);
/** Where names are looked up; underscores are allowed there. */
export const searchDomain = limited(253, whole(SEARCH), SEARCH_TEXT);
export const dns1035Label = limited(63, RE_1035, DNS_1035_TEXT);
export const wildcardSubdomain = limited(253, RE_WILDCARD, WILDCARD_TEXT);

export const qualifiedName: TextCheck = (value) => {
  const parts = value.split("/");
  if (parts.length > 2) {
    return [
      `a valid label key ${regex(QUALIFIED_WORDS, QUALIFIED_EXAMPLES, QUALIFIED)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? (parts[0] ?? "") : undefined;
  return [
    ...(prefix === undefined
      ? []
      : prefix === ""
        ? ["prefix part must be non-empty"]
        : dnsSubdomain(prefix).map((fault) => `prefix part ${fault}`)),
    ...(name === ""
      ? ["name part must be non-empty"]
      : name.length > 63
        ? ["name part must be no more than 63 bytes"]
        : []),
    ...(RE_QUALIFIED.test(name) ? [] : [`name part ${regex(QUALIFIED_WORDS, QUALIFIED_EXAMPLES, QUALIFIED)}`]),
  ];
};

export const labelValue: TextCheck = (value) => [
  ...(value.length > 63 ? ["must be no more than 63 bytes"] : []),
  ...(value === "" || RE_QUALIFIED.test(value) ? [] : [LABEL_VALUE_TEXT]),
];

export const configKey: TextCheck = (value) => {
  const faults: string[] = [];
  if (value.length > 253) faults.push("must be no more than 253 characters");
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) faults.push(CONFIG_KEY_TEXT);
  else if (value === ".") faults.push("must not be '.'");
  else if (value === "..") faults.push("must not be '..'");
  else if (value.startsWith("..")) faults.push("must not start with '..'");
  return faults;
};

/** Names of ports. */
export const portName: TextCheck = (value) => [
  ...(value.length > 15 ? ["must be no more than 15 characters"] : []),
  ...(/^[-a-z0-9]+$/.test(value) ? [] : ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
  ...(/[a-z]/.test(value) ? [] : ["must contain at least one letter (a-z)"]),
  ...(value.includes("--") ? ["must not contain consecutive hyphens"] : []),
  ...(value !== "" && (value.startsWith("-") || value.endsWith("-")) ? ["must not begin or end with a hyphen"] : []),
];

export const pathSegment: TextCheck = (value) =>
  value === "." || value === ".."
    ? [`may not be '${value}'`]
    : ["/", "%"].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);

/** Upstream takes zeros before the numbers of an address, and no zones. */
const familyOf = (value: string): number =>
  value.includes("%") ? 0 : isIP(/^[\d.]+$/.test(value) ? value.replaceAll(/\b0+(?=\d)/g, "") : value);

export const ipAddress: TextCheck = (value) =>
  familyOf(value) === 0 ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] : [];

export const cidr: TextCheck = (value) => {
  const [address = "", bits = "", ...more] = value.split("/");
  const family = familyOf(address);
  const valid = more.length === 0 && family !== 0 && /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
  return valid ? [] : ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"];
};

/** Adds one error for each fault of a text. */
export function checkText(value: string, path: string, check: TextCheck, errors: Errors): void {
  for (const fault of check(value)) errors.push(fieldInvalid(path, value, fault));
}

/** A text that has to be there. */
export function requireText(value: string, path: string, errors: Errors, detail = ""): boolean {
  if (value !== "") return true;
  errors.push(fieldRequired(path, detail));
  return false;
}

export function oneOf(value: unknown, path: string, supported: readonly string[], errors: Errors): void {
  if (!supported.includes(value as string)) errors.push(fieldNotSupported(path, value, supported));
}

export function nonNegative(value: unknown, path: string, errors: Errors): void {
  if (typeof value === "number" && value < 0)
    errors.push(fieldInvalid(path, value, "must be greater than or equal to 0"));
}

export function nonNegativeQuantity(value: unknown, path: string, errors: Errors): void {
  const quantity = tryParseQuantity(value);
  if (quantity !== undefined && quantity.nano < 0n)
    errors.push(fieldInvalid(path, formatQuantity(quantity), "must be greater than or equal to 0"));
}

export function inRange(value: unknown, path: string, low: number, high: number, errors: Errors): void {
  if (typeof value === "number" && (value < low || value > high)) {
    errors.push(fieldInvalid(path, value, `must be between ${low} and ${high}, inclusive`));
  }
}

export const portNumber = (value: unknown, path: string, errors: Errors): void =>
  inRange(value, path, 1, 65_535, errors);

/** A port by number or name. */
export function portReference(value: unknown, path: string, errors: Errors): void {
  if (typeof value === "string") checkText(value, path, portName, errors);
  else portNumber(value ?? 0, path, errors);
}

/** A count or a percentage. */
export function countOrPercent(value: unknown, path: string, errors: Errors): void {
  if (typeof value === "number") nonNegative(value, path, errors);
  else if (typeof value === "string" && !/^[0-9]+%$/.test(value)) errors.push(fieldInvalid(path, value, PERCENT_TEXT));
}

export function atMost100Percent(value: unknown, path: string, errors: Errors): void {
  if (typeof value === "string" && /^[0-9]+%$/.test(value) && Number(value.slice(0, -1)) > 100) {
    errors.push(fieldInvalid(path, value, "must not be greater than 100%"));
  }
}

export function checkLabels(object: Fields | undefined, key: string, path: string, errors: Errors): void {
  for (const [label, value] of entries(object, key)) {
    checkText(label, path, qualifiedName, errors);
    checkText(String(value), path, labelValue, errors);
  }
}

const MAX_ANNOTATIONS = 256 * 1024;

/** Annotations: their keys, and how much they are together. */
export function checkAnnotations(object: Fields | undefined, path: string, errors: Errors): void {
  let size = 0;
  for (const [key, value] of entries(object, "annotations")) {
    for (const fault of qualifiedName(key.toLowerCase())) errors.push(fieldInvalid(path, key, fault));
    size += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  if (size > MAX_ANNOTATIONS) errors.push(fieldTooLong(path, MAX_ANNOTATIONS));
}

/** The operator of a requirement with as many values as it takes. */
export function selectorOperator(requirement: Fields, path: string, errors: Errors): void {
  const values = list(requirement, "values");
  switch (text(requirement, "operator")) {
    case "In":
    case "NotIn":
      if (values.length === 0)
        errors.push(fieldRequired(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        errors.push(
          fieldForbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
      break;
    default:
      errors.push(fieldInvalid(`${path}.operator`, text(requirement, "operator"), "not a valid selector operator"));
  }
}

function expression(requirement: Fields, path: string, errors: Errors): void {
  selectorOperator(requirement, path, errors);
  checkText(text(requirement, "key"), `${path}.key`, qualifiedName, errors);
  strings(requirement, "values").forEach((value, i) => checkText(value, `${path}.values[${i}]`, labelValue, errors));
}

export function labelSelector(selector: Fields | undefined, path: string, errors: Errors): void {
  checkLabels(selector, "matchLabels", `${path}.matchLabels`, errors);
  items(selector, "matchExpressions").forEach((requirement, i) =>
    expression(requirement, `${path}.matchExpressions[${i}]`, errors),
  );
}

/** As messages show it: everything in its fixed place. */
export function selectorShown(selector: Fields | undefined): Fields | null {
  if (selector === undefined) return null;
  const labels = entries(selector, "matchLabels").toSorted(([a], [b]) => (a < b ? -1 : 1));
  const expressions = items(selector, "matchExpressions").map((one) => ({
    key: text(one, "key"),
    operator: text(one, "operator"),
    ...(list(one, "values").length > 0 ? { values: one["values"] } : {}),
  }));
  return {
    ...(labels.length > 0 ? { matchLabels: Object.fromEntries(labels) } : {}),
    ...(expressions.length > 0 ? { matchExpressions: expressions } : {}),
  };
}

/** Whether a selector can be used at all. */
export function isSoundSelector(selector: Fields | undefined): boolean {
  const errors: Errors = [];
  labelSelector(selector, "", errors);
  return errors.length === 0;
}

export const isEmptySelector = (selector: Fields | undefined): boolean =>
  entries(selector, "matchLabels").length === 0 && list(selector, "matchExpressions").length === 0;

/** Whether labels satisfy a selector. */
export function selectorMatches(selector: Fields | undefined, labels: Fields | undefined): boolean {
  const value = (key: string): string | undefined => {
    const found = labels?.[key];
    return typeof found === "string" ? found : undefined;
  };
  const satisfied = (requirement: Fields): boolean => {
    const found = value(text(requirement, "key"));
    const values = strings(requirement, "values");
    switch (text(requirement, "operator")) {
      case "In":
        return found !== undefined && values.includes(found);
      case "NotIn":
        return found === undefined || !values.includes(found);
      case "Exists":
        return found !== undefined;
      case "DoesNotExist":
        return found === undefined;
      default:
        return false;
    }
  };
  return (
    entries(selector, "matchLabels").every(([key, wanted]) => value(key) === wanted) &&
    items(selector, "matchExpressions").every(satisfied)
  );
}

/** The labels of a template, as an error shows them. */
export const templateLabels = (template: Fields | undefined): Fields | undefined =>
  child(child(template, "metadata"), "labels");
