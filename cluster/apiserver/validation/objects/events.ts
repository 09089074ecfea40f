/** Events: loosely as core v1 has them, strictly as `events.k8s.io/v1` does. */
import { fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { dnsSubdomain, checkText, type Errors, qualifiedName } from "../checks.ts";
import { immutableValue } from "../comparison/forbidden-change.ts";
import { child, type Fields, has, number, text } from "../fields.ts";

const MAX_NAME = 128;
const MAX_NOTE = 1024;

/** One event in the words of either version: what it is about, who reports, what it says. */
function fieldsOf(event: Fields): {
  readonly about: Fields | undefined;
  readonly reporter: string;
  readonly note: string;
  readonly count: number;
  readonly source: Fields | undefined;
  readonly first: unknown;
  readonly last: unknown;
} {
  return {
    about: child(event, "involvedObject") ?? child(event, "regarding"),
    reporter: text(event, "reportingComponent") || text(event, "reportingController"),
    note: text(event, "message") || text(event, "note"),
    count: number(event, "count") ?? number(event, "deprecatedCount") ?? 0,
    source: child(event, "source") ?? child(event, "deprecatedSource"),
    first: event["firstTimestamp"] ?? event["deprecatedFirstTimestamp"],
    last: event["lastTimestamp"] ?? event["deprecatedLastTimestamp"],
  };
}

const PLACE = "involvedObject.namespace";
const ELSEWHERE = "does not match event.namespace";

/** What every event has to satisfy. `reporterField`: as the version that was asked for calls it. */
function checkLoosely(event: KubeObject, reporterField: string, errors: Errors): void {
  const { about, reporter, note } = fieldsOf(event);
  const place = text(about, "namespace");
  const namespace = event.metadata.namespace ?? "";
  if (!has(event, "eventTime")) {
    const fits = place === "" ? namespace === "" || namespace === "default" : place === namespace;
    if (!fits) errors.push(fieldInvalid(PLACE, place, ELSEWHERE));
    return;
  }
  if (place === "" && namespace !== "default" && namespace !== "kube-system")
    errors.push(fieldInvalid(PLACE, place, ELSEWHERE));
  if (reporter === "") errors.push(fieldRequired(reporterField));
  checkText(reporter, reporterField, qualifiedName, errors);
  for (const key of ["reportingInstance", "action", "reason"]) {
    const value = text(event, key);
    if (value === "") errors.push(fieldRequired(key));
    if (Buffer.byteLength(value) > MAX_NAME)
      errors.push(fieldInvalid(key, "", `can have at most ${MAX_NAME} characters`));
  }
  if (Buffer.byteLength(note) > MAX_NOTE)
    errors.push(fieldInvalid("message", "", `can have at most ${MAX_NOTE} characters`));
  checkText(namespace, "namespace", dnsSubdomain, errors);
}

function checkSeries(event: Fields, errors: Errors): void {
  const series = child(event, "series");
  if (series === undefined) return;
  if ((number(series, "count") ?? 0) < 2) errors.push(fieldInvalid("series.count", "", "should be at least 2"));
  if (!has(series, "lastObservedTime")) errors.push(fieldRequired("series.lastObservedTime"));
}

function checkStrictly(event: Fields, errors: Errors): void {
  const { count, source, first, last } = fieldsOf(event);
  checkSeries(event, errors);
  if (!has(event, "eventTime")) errors.push(fieldRequired("eventTime"));
  const type = text(event, "type");
  if (type !== "Normal" && type !== "Warning") errors.push(fieldInvalid("type", "", `has invalid value: ${type}`));
  const unset = "needs to be unset";
  if ((first ?? null) !== null) errors.push(fieldInvalid("firstTimestamp", "", unset));
  if ((last ?? null) !== null) errors.push(fieldInvalid("lastTimestamp", "", unset));
  if (count !== 0) errors.push(fieldInvalid("count", "", unset));
  if (text(source, "component") !== "" || text(source, "host") !== "") errors.push(fieldInvalid("source", "", unset));
}

/** Names of fields that an event keeps, in either version, and as upstream calls them; the internal type of each. */
const KEPT: readonly (readonly [keys: readonly string[], name: string, type: string])[] = [
  [["involvedObject", "regarding"], "involvedObject", "ObjectReference"],
  [["reason"], "reason", "s"],
  [["message", "note"], "message", "s"],
  [["source", "deprecatedSource"], "source", "EventSource"],
  [["firstTimestamp", "deprecatedFirstTimestamp"], "firstTimestamp", "t"],
  [["lastTimestamp", "deprecatedLastTimestamp"], "lastTimestamp", "t"],
  [["count", "deprecatedCount"], "count", "i"],
  [["type"], "type", "s"],
  [["eventTime"], "eventTime", "t"],
  [["action"], "action", "s"],
  [["related"], "related", "*ObjectReference"],
  [["reportingController", "reportingComponent"], "reportingController", "s"],
  [["reportingInstance"], "reportingInstance", "s"],
];

function checkKept(event: Fields, old: Fields, errors: Errors): void {
  if (!equalJson(event["series"] ?? null, old["series"] ?? null)) checkSeries(event, errors);
  for (const [keys, name, type] of KEPT) {
    const value = (of: Fields): unknown => keys.map((key) => of[key]).find((one) => one !== undefined && one !== null);
    if (!equalJson(value(event) ?? null, value(old) ?? null)) errors.push(immutableValue(name, type, value(event)));
  }
}

export const checkCoreEvent = (event: KubeObject, errors: Errors): void =>
  checkLoosely(event, "reportingComponent", errors);

export function checkNewEvent(event: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  checkLoosely(event, "reportingController", errors);
  if (old === undefined) checkStrictly(event, errors);
  else checkKept(event, old, errors);
}
