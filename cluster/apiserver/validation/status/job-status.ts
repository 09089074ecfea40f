/**
 * What may be said of a Job's progress, by whichever controller manages it. Most is looked at only when it changes: a
 * change of the spec may leave a status that no longer fits until the controller has seen it.
 */
import { fieldInvalid, fieldRequired, type FieldError } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { type Errors, nonNegative } from "../checks.ts";
import { child, type Fields, has, items, number, strings, text } from "../fields.ts";

const COUNTS = ["active", "succeeded", "failed", "ready"];

type Interval = readonly [from: number, to: number];

/** A Job's spec and status, then and now. */
interface Change {
  readonly spec: Fields;
  readonly status: Fields;
  readonly before: Fields;
}

const isTrue = (status: Fields, type: string): boolean =>
  items(status, "conditions").some((c) => text(c, "type") === type && text(c, "status") === "True");
const isFinished = (status: Fields): boolean => isTrue(status, "Complete") || isTrue(status, "Failed");
const timeOf = (status: Fields, key: string): number | undefined =>
  has(status, key) ? Date.parse(text(status, key)) : undefined;

/** A fault of the conditions taken together: their value is not shown. */
const conditionFault = (detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field: "status.conditions",
  message: `Invalid value: ${detail}`,
});

function intervalOf(text: string, completions: number): Interval | string {
  const limits = text.split("-");
  if (limits.length > 2)
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  for (const limit of limits) {
    if (!/^[+-]?\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
  }
  const [from = 0, to = from] = limits.map(Number);
  return limits.length > 1 && from >= to ? `non-increasing order, previous: ${from}, current: ${to}` : [from, to];
}

/** The intervals of `0-2,5`, or what is wrong with them. */
function indexesOf(text: string, completions: number): readonly Interval[] | string {
  const found: Interval[] = [];
  if (text === "") return found;
  for (const part of text.split(",")) {
    const interval = intervalOf(part, completions);
    if (typeof interval === "string") return interval;
    const last = found.at(-1)?.[1];
    if (last !== undefined && last >= interval[0])
      return `non-increasing order, previous: ${last}, current: ${interval[0]}`;
    found.push(interval);
  }
  return found;
}

function checkPods(status: Fields, errors: Errors): void {
  for (const name of COUNTS) nonNegative(status[name], `status.${name}`, errors);
  nonNegative(status["terminating"], "status.terminating", errors);
  const uncounted = child(status, "uncountedTerminatedPods");
  const seen = new Set<string>();
  for (const key of ["succeeded", "failed"]) {
    strings(uncounted, key).forEach((uid, i) => {
      const path = `status.uncountedTerminatedPods.${key}[${i}]`;
      if (uid === "") errors.push(fieldInvalid(path, "", "must not be empty"));
      else if (seen.has(uid))
        errors.push({ reason: "FieldValueDuplicate", field: path, message: `Duplicate value: ${JSON.stringify(uid)}` });
      seen.add(uid);
    });
  }
}

function checkTimes({ status, before }: Change, errors: Errors): void {
  const [complete, wasComplete] = [isTrue(status, "Complete"), isTrue(before, "Complete")];
  const startChanged = timeOf(status, "startTime") !== timeOf(before, "startTime");
  const endChanged = timeOf(status, "completionTime") !== timeOf(before, "completionTime");
  const [start, end] = [timeOf(status, "startTime"), timeOf(status, "completionTime")];
  const path = "status.completionTime";
  if (complete !== wasComplete || endChanged) {
    if (end !== undefined && !complete)
      errors.push(
        fieldInvalid(
          path,
          status["completionTime"],
          "cannot set completionTime when there is no Complete=True condition",
        ),
      );
    if (end === undefined && complete) errors.push(fieldRequired(path, "completionTime is required for Complete jobs"));
  }
  if ((startChanged || endChanged) && start !== undefined && end !== undefined && end < start)
    errors.push(fieldInvalid(path, status["completionTime"], "must be equal to or after `startTime`"));
}

function checkEnd({ spec, status, before }: Change, errors: Errors): void {
  const changed = (type: string): boolean => isTrue(status, type) !== isTrue(before, type);
  const [complete, failed] = [isTrue(status, "Complete"), isTrue(status, "Failed")];
  if (changed("Failed") || !equalJson(status["failedIndexes"] ?? null, before["failedIndexes"] ?? null)) {
    if (failed && !isTrue(status, "FailureTarget"))
      errors.push(conditionFault("cannot set Failed=True condition without the FailureTarget=true condition"));
  }
  if ((changed("Complete") || changed("SuccessCriteriaMet")) && complete && !isTrue(status, "SuccessCriteriaMet"))
    errors.push(conditionFault("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"));
  if (!isFinished(status)) return;
  const ended = !isFinished(before);
  const active = number(status, "active") ?? 0;
  if ((ended || active !== (number(before, "active") ?? 0)) && active > 0)
    errors.push(fieldInvalid("status.active", active, "active>0 is invalid for finished job"));
  const empty = spec["suspend"] === true && spec["completions"] === 0;
  if ((ended || timeOf(status, "startTime") !== timeOf(before, "startTime")) && !empty && !has(status, "startTime"))
    errors.push(fieldRequired("status.startTime", "startTime is required for finished job"));
  checkUncounted({ spec, status, before }, ended, errors);
}

function checkUncounted({ status, before }: Change, ended: boolean, errors: Errors): void {
  const key = "uncountedTerminatedPods";
  if (!ended && equalJson(status[key] ?? null, before[key] ?? null)) return;
  const pods = child(status, key);
  if (strings(pods, "succeeded").length + strings(pods, "failed").length > 0)
    errors.push(
      fieldInvalid(
        `status.${key}`,
        { Succeeded: pods?.["succeeded"] ?? null, Failed: pods?.["failed"] ?? null },
        "must be empty for finished job",
      ),
    );
}

function checkIndexes({ spec, status, before }: Change, errors: Errors): void {
  const completions = number(spec, "completions");
  const [done, failed] = [text(status, "completedIndexes"), text(status, "failedIndexes")];
  const doneChanged = done !== text(before, "completedIndexes");
  const failedChanged = !equalJson(status["failedIndexes"] ?? null, before["failedIndexes"] ?? null);
  const parse = (indexes: string): ReturnType<typeof indexesOf> => indexesOf(indexes, completions ?? 0);
  const fault = (key: string, detail: string): void =>
    void errors.push(fieldInvalid(`status.${key}`, text(status, key), detail));
  const [doneParsed, failedParsed] = [parse(done), parse(failed)];
  if (doneChanged && completions !== undefined && typeof doneParsed === "string")
    fault("completedIndexes", `error parsing completedIndexes: ${doneParsed}`);
  if (
    failedChanged &&
    completions !== undefined &&
    has(spec, "backoffLimitPerIndex") &&
    typeof failedParsed === "string"
  )
    fault("failedIndexes", `error parsing failedIndexes: ${failedParsed}`);
  if (doneChanged && done !== "" && text(spec, "completionMode") !== "Indexed")
    fault("completedIndexes", "cannot set non-empty completedIndexes when non-indexed completion mode");
  if (failedChanged && has(status, "failedIndexes") && !has(spec, "backoffLimitPerIndex"))
    fault("failedIndexes", "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
  if (typeof doneParsed === "string" || typeof failedParsed === "string" || !(doneChanged || failedChanged)) return;
  const shared = overlap(doneParsed, failedParsed);
  if (shared !== undefined && completions !== undefined)
    fault("failedIndexes", `failedIndexes and completedIndexes overlap at index: ${shared}`);
}

/** The first index that stands in both; intervals are in their order. */
function overlap(done: readonly Interval[], failed: readonly Interval[]): number | undefined {
  for (let i = 0, j = 0; ;) {
    const [one, other] = [done[i], failed[j]];
    if (one === undefined || other === undefined) return undefined;
    if (one[0] <= other[1] && other[0] <= one[1]) return Math.max(one[0], other[0]);
    if (one[0] <= other[0]) i++;
    else j++;
  }
}

function checkActive({ status, before }: Change, errors: Errors): void {
  const count = (of: Fields, key: string): number => number(of, key) ?? 0;
  const terminating = count(status, "terminating");
  if (
    (isFinished(status) !== isFinished(before) ||
      !equalJson(status["terminating"] ?? null, before["terminating"] ?? null)) &&
    terminating > 0 &&
    isFinished(status)
  )
    errors.push(fieldInvalid("status.terminating", terminating, "terminating>0 is invalid for finished job"));
  const changed =
    !equalJson(status["ready"] ?? null, before["ready"] ?? null) || count(status, "active") !== count(before, "active");
  if (changed && has(status, "ready") && count(status, "ready") > count(status, "active"))
    errors.push(fieldInvalid("status.ready", count(status, "ready"), "cannot set more ready pods than active"));
}

/** Conditions that exclude one another. */
function checkTogether({ status, before }: Change, errors: Errors): void {
  const is = (type: string): boolean => isTrue(status, type);
  const changed = (type: string): boolean => is(type) !== isTrue(before, type);
  if ((changed("Complete") || changed("Failed")) && is("Complete") && is("Failed"))
    errors.push(conditionFault("cannot set Complete=True and Failed=true conditions"));
  if ((changed("Complete") || changed("FailureTarget")) && is("Complete") && is("FailureTarget"))
    errors.push(conditionFault("cannot set Complete=True and FailureTarget=true conditions"));
}

function checkSuccess({ spec, status }: Change, errors: Errors): void {
  const met = isTrue(status, "SuccessCriteriaMet");
  if (met && isTrue(status, "Failed"))
    errors.push(conditionFault("cannot set SuccessCriteriaMet=True and Failed=true conditions"));
  if (met && isTrue(status, "FailureTarget"))
    errors.push(conditionFault("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"));
  if (has(spec, "successPolicy") && !met && isTrue(status, "Complete"))
    errors.push(conditionFault("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"));
}

function checkHistory({ spec, status, before }: Change, errors: Errors): void {
  for (const type of ["Failed", "Complete", "FailureTarget"])
    if (isTrue(before, type) && !isTrue(status, type))
      errors.push(conditionFault(`cannot disable the terminal ${type}=True condition`));
  const fewer = (key: string): boolean => (number(status, key) ?? 0) < (number(before, key) ?? 0);
  const elastic = text(spec, "completionMode") === "Indexed" && spec["completions"] === spec["parallelism"];
  if (fewer("failed"))
    errors.push(fieldInvalid("status.failed", status["failed"] ?? 0, "cannot decrease the failed counter"));
  if (fewer("succeeded") && !elastic)
    errors.push(fieldInvalid("status.succeeded", status["succeeded"] ?? 0, "cannot decrease the succeeded counter"));
  const [end, ended] = [timeOf(status, "completionTime"), timeOf(before, "completionTime")];
  if (end !== undefined && ended !== undefined && end !== ended)
    errors.push(fieldInvalid("status.completionTime", status["completionTime"], "field is immutable"));
  const started = timeOf(before, "startTime");
  if (
    started !== undefined &&
    started !== timeOf(status, "startTime") &&
    spec["suspend"] !== true &&
    !resumes(status, before)
  )
    errors.push(fieldRequired("status.startTime", "startTime cannot be removed for unsuspended job"));
  if (isTrue(before, "SuccessCriteriaMet") && !isTrue(status, "SuccessCriteriaMet"))
    errors.push(conditionFault("cannot disable the SuccessCriteriaMet=True condition"));
  if (isTrue(before, "Complete") && !isTrue(before, "SuccessCriteriaMet") && isTrue(status, "SuccessCriteriaMet"))
    errors.push(conditionFault("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"));
}

/** The controller says that the job is no longer suspended, after the user did. */
const resumes = (status: Fields, before: Fields): boolean =>
  isTrue(before, "Suspended") &&
  items(status, "conditions").some((c) => text(c, "type") === "Suspended" && text(c, "status") === "False");

export function checkJobStatus(spec: Fields, status: Fields, before: Fields, errors: Errors): void {
  const change: Change = { spec, status, before };
  checkPods(status, errors);
  checkTogether(change, errors);
  checkTimes(change, errors);
  checkEnd(change, errors);
  checkIndexes(change, errors);
  checkActive(change, errors);
  checkSuccess(change, errors);
  checkHistory(change, errors);
}
