/** Limits of what pods, containers and claims of a namespace may ask for. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import {
  compareQuantity,
  formatQuantity as shown,
  type Quantity,
  quantityMilli,
  tryParseQuantity,
} from "@travelops/kube/api/quantity";
import { checkText, type Errors, qualifiedName } from "../checks.ts";
import { child, entries, type Fields, items, text } from "../fields.ts";
import { containerResourceName, mayOvercommit, resourceName } from "./resource-names.ts";

const TYPES: ReadonlySet<string> = new Set(["Pod", "Container", "PersistentVolumeClaim"]);

function checkType(type: string, path: string, errors: Errors): void {
  const found = errors.length;
  checkText(type, path, qualifiedName, errors);
  if (errors.length === found && !type.includes("/") && !TYPES.has(type))
    errors.push(fieldInvalid(path, type, "must be a standard limit type or fully qualified"));
}

const quantityAt = (limit: Fields, kind: string, name: string): Quantity | undefined =>
  tryParseQuantity(child(limit, kind)?.[name]);
const exceeds = (a: Quantity | undefined, b: Quantity | undefined): a is Quantity =>
  a !== undefined && b !== undefined && compareQuantity(a, b) > 0;

const ONE = 1_000_000_000n;

/** A limit cannot be less than what is asked for, and no ratio wider than the bounds. */
function checkRatio(limit: Fields, name: string, path: string, errors: Errors): void {
  const ratio = quantityAt(limit, "maxLimitRequestRatio", name);
  if (ratio === undefined) return;
  const at = `${path}.maxLimitRequestRatio[${name}]`;
  if (ratio.nano < ONE) errors.push(fieldInvalid(at, shown(ratio), `ratio ${shown(ratio)} is less than 1`));
  const [min, max] = [quantityAt(limit, "min", name), quantityAt(limit, "max", name)];
  if (min === undefined || max === undefined) return;
  const widest = Number(quantityMilli(max)) / Number(quantityMilli(min));
  if (Number(quantityMilli(ratio)) / 1000 > widest) {
    const bound = Number.isFinite(widest) ? widest.toFixed(6) : "-Inf";
    errors.push(fieldInvalid(at, shown(ratio), `ratio ${shown(ratio)} is greater than max/min = ${bound}`));
  }
}

function checkBounds(limit: Fields, name: string, path: string, errors: Errors): void {
  const pod = text(limit, "type") === "Pod";
  const [min, max] = [quantityAt(limit, "min", name), quantityAt(limit, "max", name)];
  const byDefault = pod ? undefined : quantityAt(limit, "default", name);
  const request = pod ? undefined : quantityAt(limit, "defaultRequest", name);
  const fault = (kind: string, value: Quantity, why: string): void =>
    void errors.push(fieldInvalid(`${path}.${kind}[${name}]`, shown(value), why));
  if (exceeds(min, max) && max !== undefined)
    fault("min", min, `min value ${shown(min)} is greater than max value ${shown(max)}`);
  if (exceeds(min, request) && request !== undefined)
    fault("defaultRequest", request, `min value ${shown(min)} is greater than default request value ${shown(request)}`);
  if (exceeds(request, max) && max !== undefined)
    fault("defaultRequest", request, `default request value ${shown(request)} is greater than max value ${shown(max)}`);
  if (exceeds(request, byDefault) && byDefault !== undefined)
    fault(
      "defaultRequest",
      request,
      `default request value ${shown(request)} is greater than default limit value ${shown(byDefault)}`,
    );
  if (exceeds(min, byDefault) && byDefault !== undefined)
    fault("default", min, `min value ${shown(min)} is greater than default value ${shown(byDefault)}`);
  if (exceeds(byDefault, max) && max !== undefined)
    fault("default", max, `default value ${shown(byDefault)} is greater than max value ${shown(max)}`);
  checkRatio(limit, name, path, errors);
  const differ = byDefault !== undefined && request !== undefined && compareQuantity(byDefault, request) !== 0;
  if (differ && !mayOvercommit(name))
    fault(
      "defaultRequest",
      request,
      `default value ${shown(byDefault)} must equal to defaultRequest value ${shown(request)} in ${name}`,
    );
}

/** The resources that one limit names. */
function checkNames(limit: Fields, path: string, errors: Errors): ReadonlySet<string> {
  const type = text(limit, "type");
  const check = type === "Pod" || type === "Container" ? containerResourceName : resourceName;
  const names = new Set<string>();
  const each = (kind: string): void => {
    for (const [name] of entries(limit, kind)) {
      check(name, `${path}.${kind}[${name}]`, errors);
      names.add(name);
    }
  };
  each("max");
  each("min");
  for (const kind of ["default", "defaultRequest"]) {
    if (type !== "Pod") each(kind);
    else if (entries(limit, kind).length > 0)
      errors.push(fieldForbidden(`${path}.${kind}`, "may not be specified when `type` is 'Pod'"));
  }
  const bounded = ["min", "max"].some((kind) => child(limit, kind)?.["storage"] !== undefined);
  if (type === "PersistentVolumeClaim" && !bounded)
    errors.push(
      fieldRequired(`${path}.limits`, "either minimum or maximum storage value is required, but neither was provided"),
    );
  each("maxLimitRequestRatio");
  return names;
}

export function checkLimitRange(range: KubeObject, errors: Errors): void {
  const seen = new Set<string>();
  items(child(range, "spec"), "limits").forEach((limit, i) => {
    const path = `spec.limits[${i}]`;
    const type = text(limit, "type");
    checkType(type, `${path}.type`, errors);
    if (seen.has(type)) errors.push(fieldDuplicate(`${path}.type`, type));
    seen.add(type);
    for (const name of checkNames(limit, path, errors)) checkBounds(limit, name, path, errors);
  });
}
