/** The query of a list or a watch, checked as upstream checks it (apimachinery: internalversion/validation). */
import { badRequest, fieldForbidden, fieldNotSupported, invalid, StatusError, type FieldError } from "@travelops/kube";

export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly limit: number;
  readonly continueToken: string;
  /** "" for the latest. */
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly sendInitialEvents: boolean | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
}

/** Booleans as Go's query conversion reads them: present and neither "0" nor "false" is true. */
export function queryBoolean(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return value !== "false" && value !== "0";
}

/** An integer of the query. Throws `StatusError` 400 for anything else. */
export function queryInteger(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  if (!/^[+-]?\d+$/.test(value)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`);
  }
  return number;
}

/** A resource version of the query as a number; 0 for "". Throws `StatusError` 400 that says what was to be read. */
export const listVersion = (text: string): number =>
  resourceVersion(text, (fault) => badRequest(`invalid resource version: ${fault}`));

/** The same of one object and of a watch, where upstream's cache refuses it, with an error of no kind. Throws 500. */
export const cachedVersion = (text: string): number =>
  resourceVersion(text, (fault) => new StatusError(500, "", fault));

function resourceVersion(text: string, refused: (fault: string) => StatusError): number {
  if (text === "") return 0;
  const fault = (what: string): StatusError =>
    refused(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${what}`,
    );
  if (!/^\d+$/.test(text)) throw fault("invalid syntax");
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw fault("value out of range");
  return number;
}

/** Reads and checks the options of a list (`watch` false) or a watch. */
export function parseListOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const options: ListOptions = {
    labelSelector: query.get("labelSelector") ?? "",
    fieldSelector: query.get("fieldSelector") ?? "",
    limit: queryInteger(query, "limit") ?? 0,
    continueToken: query.get("continue") ?? "",
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    sendInitialEvents: queryBoolean(query, "sendInitialEvents"),
    allowWatchBookmarks: queryBoolean(query, "allowWatchBookmarks") ?? false,
    timeoutSeconds: queryInteger(query, "timeoutSeconds"),
  };
  const errors = watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw invalid("meta.k8s.io", "ListOptions", "", errors);
  return options;
}

const MATCH = "resourceVersionMatch";

function listErrors({
  resourceVersionMatch: match,
  resourceVersion,
  continueToken,
  sendInitialEvents,
}: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (match !== "") {
    if (resourceVersion === "")
      errors.push(fieldForbidden(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`));
    if (continueToken !== "") errors.push(fieldForbidden(MATCH, `${MATCH} is forbidden when continue is provided`));
    if (match !== "Exact" && match !== "NotOlderThan")
      errors.push(fieldNotSupported(MATCH, match, ["Exact", "NotOlderThan", ""]));
    if (match === "Exact" && resourceVersion === "0") {
      errors.push(fieldForbidden(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (sendInitialEvents !== undefined) {
    errors.push(fieldForbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  return errors;
}

function watchErrors({ resourceVersionMatch: match, continueToken, sendInitialEvents }: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    errors.push(fieldForbidden(MATCH, `sendInitialEvents requires setting ${MATCH} to NotOlderThan`));
  }
  if (match === "") return errors;
  if (sendInitialEvents === undefined) {
    errors.push(fieldForbidden(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`));
  }
  if (match !== "NotOlderThan") errors.push(fieldNotSupported(MATCH, match, ["NotOlderThan"]));
  if (continueToken !== "") errors.push(fieldForbidden(MATCH, `${MATCH} is forbidden when continue is provided`));
  return errors;
}
