/** How far a claim's volume has grown. */
import { fieldInvalid, fieldNotSupported } from "@travelops/kube";
import { compareQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { checkText, type Errors, nonNegativeQuantity, qualifiedName } from "../checks.ts";
import { entries, type Fields } from "../fields.ts";

const STATES = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
].toSorted();
const ZERO = tryParseQuantity("0");

function isBelowZero(value: unknown): boolean {
  const quantity = tryParseQuantity(value);
  return quantity !== undefined && ZERO !== undefined && compareQuantity(quantity, ZERO) < 0;
}

function checkResource(name: string, path: string, errors: Errors): boolean {
  const found = errors.length;
  checkText(name, path, qualifiedName, errors);
  const isNative = !name.includes("/") || name.includes("kubernetes.io/");
  if (errors.length === found && isNative && name !== "storage")
    errors.push(fieldNotSupported(path, name, ["storage"]));
  return errors.length === found;
}

function checkAmount(value: unknown, path: string, errors: Errors): boolean {
  if (!isBelowZero(value)) return true;
  errors.push(fieldInvalid(path, { Format: "BinarySI" }, "must be a valid resource quantity"));
  return false;
}

export function checkClaimStatus(status: Fields, errors: Errors): void {
  for (const [name, value] of entries(status, "capacity")) checkAmount(value, `status.capacity[${name}]`, errors);
  const states = "status.allocatedResourceStatuses";
  for (const [name, state] of entries(status, "allocatedResourceStatuses")) {
    checkResource(name, states, errors);
    if (!STATES.includes(String(state))) errors.push(fieldNotSupported(states, name, STATES));
  }
  for (const [name, value] of entries(status, "allocatedResources")) {
    if (!checkResource(name, "status.allocatedResources", errors)) continue;
    const path = `status.allocatedResources[${name}]`;
    if (checkAmount(value, path, errors)) nonNegativeQuantity(value, path, errors);
  }
}
