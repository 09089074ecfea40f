/** Label and field selectors: their string form, the LabelSelector object, and matching. */
import { badRequest } from "../api/status-error.ts";

export { parseLabelSelector } from "./parse-label-selector.ts";

export type LabelOperator = "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The object form, as in `spec.selector` of most workloads. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export type Labels = Readonly<Record<string, string>>;

export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** Matches everything. */
export const EVERYTHING: readonly LabelRequirement[] = [];

/** The requirements of a LabelSelector object. Undefined matches nothing, an empty one everything. */
export function requirementsOf(selector: LabelSelector): readonly LabelRequirement[] {
  const out: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    out.push({ key, operator: "In", values: [value] });
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (!isLabelOperator(operator))
      throw badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
    out.push({ key, operator, values: values ?? [] });
  }
  return out;
}

const isLabelOperator = (text: string): text is LabelOperator =>
  text === "In" || text === "NotIn" || text === "Exists" || text === "DoesNotExist" || text === "Gt" || text === "Lt";

function matchesOne({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

/** Whether every requirement holds. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  const have = labels ?? {};
  return requirements.every((requirement) => matchesOne(requirement, have));
}

/** Whether a LabelSelector object selects `labels`; an absent one selects nothing. */
export function selects(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  return selector !== undefined && matchesLabels(requirementsOf(selector), labels);
}

/** Whether a plain map (a Service's selector) selects `labels`; an empty or absent one selects nothing. */
export function selectsMap(selector: Labels | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  const pairs = Object.entries(selector);
  return pairs.length > 0 && pairs.every(([key, value]) => labels?.[key] === value);
}

function formatOne({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case "In":
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.toSorted().join(",")})`;
    case "NotIn":
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.toSorted().join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    case "Gt":
      return `${key}>${values[0]}`;
    case "Lt":
      return `${key}<${values[0]}`;
  }
}

/** The string form, sorted by key as upstream prints it. */
export function formatLabelSelector(selector: readonly LabelRequirement[] | LabelSelector): string {
  const requirements = isRequirements(selector) ? selector : requirementsOf(selector);
  return requirements
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(formatOne)
    .join(",");
}

const isRequirements = (
  selector: readonly LabelRequirement[] | LabelSelector,
): selector is readonly LabelRequirement[] => Array.isArray(selector);

/** Reads `metadata.name=a,status.phase!=Running`, with `\,` `\=` `\\` escaped; throws a 400 StatusError. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  if (text.trim() === "") return [];
  return splitEscaped(text, ",")
    .filter((term) => term !== "")
    .map((term) => parseFieldTerm(term, text));
}

function parseFieldTerm(term: string, whole: string): FieldRequirement {
  const match = /^([^=!\\]+?)\s*(==|!=|=)([^]*)$/.exec(term.trim());
  if (match === null) {
    throw badRequest(`invalid selector: '${whole}'; can't understand '${term}'`);
  }
  return { field: match[1] ?? "", operator: match[2] === "!=" ? "!=" : "=", value: unescape(match[3] ?? "") };
}

function splitEscaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let current = "";
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === "\\") current += c + text.charAt(++i);
    else if (c === separator) {
      parts.push(current);
      current = "";
    } else current += c;
  }
  parts.push(current);
  return parts;
}

const unescape = (text: string): string => text.replace(/\\([\\,=])/g, "$1");
const escape = (text: string): string => text.replace(/[\\,=]/g, "\\$&");

/** Whether every requirement holds; `valueOf` gives a field's text ("" where unset). */
export function matchesFields(requirements: readonly FieldRequirement[], valueOf: (field: string) => string): boolean {
  return requirements.every(({ field, operator, value }) => (valueOf(field) === value) === (operator === "="));
}

export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements.map(({ field, operator, value }) => `${field}${operator}${escape(value)}`).join(",");
}
