/** When a job counts as failed, or as done, before all of its pods say so. */
import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  type FieldError,
} from "@travelops/kube";
import { checkText, type Errors, nonNegative, oneOf, qualifiedName } from "../checks.ts";
import { child, type Fields, has, items, list, number, text } from "../fields.ts";

const MAX_EXIT_CODES = 255;
const MAX_RULES = 20;
const MAX_INDEXES = 64 * 1024;
const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES = ["False", "True", "Unknown"];
const OPERATORS = ["In", "NotIn"];

const valid = (values: readonly string[]): string =>
  `valid values: [${values.map((value) => JSON.stringify(value)).join(" ")}]`;

function choice(value: string, path: string, supported: readonly string[], errors: Errors): void {
  if (value === "") errors.push(fieldRequired(path, valid(supported)));
  else oneOf(value, path, supported, errors);
}

function atMost(found: readonly unknown[], max: number, path: string, errors: Errors): void {
  if (found.length > max) errors.push(fieldTooMany(path, found.length, max));
}

/** Upstream gives no value here. */
const invalidRule = (field: string, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${detail}`,
});

function podConditions(rule: Fields, path: string, errors: Errors): void {
  const patterns = items(rule, "onPodConditions");
  atMost(patterns, MAX_RULES, `${path}.onPodConditions`, errors);
  patterns.forEach((pattern, i) => {
    const at = `${path}.onPodConditions[${i}]`;
    checkText(text(pattern, "type"), `${at}.type`, qualifiedName, errors);
    choice(text(pattern, "status"), `${at}.status`, STATUSES, errors);
  });
}

function exitCodes(rule: Fields, containers: ReadonlySet<string>, path: string, errors: Errors): void {
  const codes = child(rule, "onExitCodes");
  if (codes === undefined) return;
  const at = `${path}.onExitCodes`;
  const operator = text(codes, "operator");
  choice(operator, `${at}.operator`, OPERATORS, errors);
  const name = codes["containerName"];
  if (typeof name === "string" && !containers.has(name))
    errors.push(
      fieldInvalid(
        `${at}.containerName`,
        name,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  const values = list(codes, "values");
  if (values.length === 0)
    errors.push(fieldInvalid(`${at}.values`, codes["values"] ?? null, "at least one value is required"));
  atMost(values, MAX_EXIT_CODES, `${at}.values`, errors);
  values.forEach((value, i) => {
    if (value === 0 && operator === "In")
      errors.push(fieldInvalid(`${at}.values[${i}]`, 0, "must not be 0 for the In operator"));
    if (values.indexOf(value) < i) errors.push(fieldDuplicate(`${at}.values[${i}]`, value));
  });
  if (values.some((value, i) => i > 0 && Number(values[i - 1]) > Number(value)))
    errors.push(fieldInvalid(`${at}.values`, values, "must be ordered"));
}

/** `podFailurePolicy` of a job. */
export function failurePolicy(spec: Fields, path: string, errors: Errors): void {
  const policy = child(spec, "podFailurePolicy");
  if (policy === undefined) return;
  const pod = child(child(spec, "template"), "spec");
  const containers = new Set(
    [...items(pod, "containers"), ...items(pod, "initContainers")].map((container) => text(container, "name")),
  );
  const rules = items(policy, "rules");
  atMost(rules, MAX_RULES, `${path}.podFailurePolicy.rules`, errors);
  rules.forEach((rule, i) => {
    const at = `${path}.podFailurePolicy.rules[${i}]`;
    choice(text(rule, "action"), `${at}.action`, ACTIONS, errors);
    if (rule["action"] === "FailIndex" && !has(spec, "backoffLimitPerIndex"))
      errors.push(fieldInvalid(`${at}.action`, "FailIndex", "requires the backoffLimitPerIndex to be set"));
    exitCodes(rule, containers, at, errors);
    podConditions(rule, at, errors);
    const conditions = list(rule, "onPodConditions").length > 0;
    if (has(rule, "onExitCodes") && conditions)
      errors.push(invalidRule(at, "specifying both OnExitCodes and OnPodConditions is not supported"));
    if (!has(rule, "onExitCodes") && !conditions)
      errors.push(invalidRule(at, "specifying one of OnExitCodes and OnPodConditions is required"));
  });
}

/** One index below `completions`, or why it is none. */
function indexOf(written: string, completions: number): number | string {
  if (!/^[+-]?[0-9]+$/.test(written)) return `cannot convert string to integer for index: ${JSON.stringify(written)}`;
  return Number(written) >= completions ? `too large index: ${JSON.stringify(written)}` : Number(written);
}

/** Why indexes are not written as `0-2,5` below `completions`; their number where they are. */
function indexCount(written: string, completions: number): number | string {
  let count = 0;
  let last: number | undefined;
  const disorder = (before: number, now: number): string =>
    `non-increasing order, previous: ${before}, current: ${now}`;
  for (const part of written === "" ? [] : written.split(",")) {
    const bounds = part.split("-");
    if (bounds.length > 2)
      return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    const first = indexOf(bounds[0] ?? "", completions);
    if (typeof first === "string") return first;
    const end = bounds[1] === undefined ? first : indexOf(bounds[1], completions);
    if (typeof end === "string") return end;
    if (bounds[1] !== undefined && first >= end) return disorder(first, end);
    if (last !== undefined && last >= first) return disorder(last, first);
    count += end - first + 1;
    last = end;
  }
  return count;
}

function successRule(rule: Fields, field: string, completions: number, errors: Errors): void {
  const wanted = number(rule, "succeededCount");
  const indexed = has(rule, "succeededIndexes");
  if (wanted === undefined && !indexed)
    errors.push(fieldRequired(field, "at least one of succeededCount or succeededIndexes must be specified"));
  let found = 0;
  if (indexed) {
    const at = `${field}.succeededIndexes`;
    const written = text(rule, "succeededIndexes");
    if (written.length > MAX_INDEXES) errors.push(fieldTooLong(at, MAX_INDEXES));
    const count = indexCount(written, completions);
    if (typeof count === "number") found = count;
    else errors.push(fieldInvalid(at, written, `error parsing succeededIndexes: ${count}`));
  }
  if (wanted === undefined) return;
  nonNegative(wanted, `${field}.succeededCount`, errors);
  const limit = (most: number, what: string): void => {
    if (wanted > most)
      errors.push(fieldInvalid(`${field}.succeededCount`, wanted, `must be less than or equal to ${most} (${what})`));
  };
  limit(completions, "the number of specified completions");
  if (indexed) limit(found, "the number of indexes in the specified succeededIndexes field");
}

/** `successPolicy` of a job. */
export function successPolicy(spec: Fields, path: string, errors: Errors): void {
  const policy = child(spec, "successPolicy");
  if (policy === undefined) return;
  const at = `${path}.successPolicy`;
  const rules = items(policy, "rules");
  if (spec["completionMode"] !== "Indexed") {
    const shown = rules.map((rule) => ({
      SucceededIndexes: rule["succeededIndexes"] ?? null,
      SucceededCount: rule["succeededCount"] ?? null,
    }));
    errors.push(fieldInvalid(at, { Rules: has(policy, "rules") ? shown : null }, "requires indexed completion mode"));
    return;
  }
  if (rules.length === 0)
    errors.push(
      fieldRequired(`${at}.rules`, "at least one rules must be specified when the successPolicy is specified"),
    );
  atMost(rules, MAX_RULES, `${at}.rules`, errors);
  rules.forEach((rule, i) => successRule(rule, `${at}.rules[${i}]`, number(spec, "completions") ?? 0, errors));
}

/** When pods are replaced. */
export function replacementPolicy(spec: Fields, path: string, errors: Errors): void {
  const policy = spec["podReplacementPolicy"] ?? undefined;
  const supported = has(spec, "podFailurePolicy") ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  if (policy !== undefined && !supported.includes(policy as string))
    errors.push(fieldNotSupported(`${path}.podReplacementPolicy`, policy, supported));
}
