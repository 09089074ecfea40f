/** Resource names and quantities. */
import { fieldInvalid, fieldNotFound, fieldRequired } from "@travelops/kube";
import {
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  tryParseQuantity,
} from "@travelops/kube/api/quantity";
import { checkText, type Errors, qualifiedName } from "./checks.ts";
import { child, entries, type Fields, items, text } from "./fields.ts";

const STANDARD: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);
const isHugePages = (name: string): boolean => name.startsWith("hugepages-");
const isExtended = (name: string): boolean =>
  name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.");

const isWhole = (quantity: Quantity): boolean => quantity.nano % 1_000_000_000n === 0n;
const quantityOf = (value: unknown): Quantity => tryParseQuantity(value) ?? parseQuantity(0);

function checkName(name: string, path: string, errors: Errors): void {
  checkText(name, path, qualifiedName, errors);
  if (qualifiedName(name).length > 0 && !name.includes("/")) {
    errors.push(fieldInvalid(path, name, "must be a standard resource for containers"));
  } else if (!name.includes("/") && !STANDARD.has(name) && !isHugePages(name)) {
    errors.push(fieldInvalid(path, name, "must be a standard resource type or fully qualified"));
    errors.push(fieldInvalid(path, name, "must be a standard resource for containers"));
  }
}

export function checkQuantity(name: string, value: unknown, path: string, errors: Errors): void {
  const quantity = quantityOf(value);
  if (quantity.nano < 0n) errors.push(fieldInvalid(path, value, "must be greater than or equal to 0"));
  if ((isExtended(name) || name === "pods") && !isWhole(quantity))
    errors.push(fieldInvalid(path, formatQuantity(quantity), "must be an integer"));
}

function checkHugePages(name: string, quantity: Quantity, path: string, errors: Errors): void {
  const size = tryParseQuantity(name.slice("hugepages-".length));
  if (size === undefined || size.nano === 0n || quantity.nano % size.nano === 0n) return;
  const shown = formatQuantity(quantity);
  errors.push(fieldInvalid(path, shown, `${shown} is not positive integer multiple of ${name}`));
}

function checkRequest(name: string, request: Quantity, limits: Fields, path: string, errors: Errors): void {
  const limit = limits[name];
  const overcommitable = !isExtended(name) && !isHugePages(name);
  if (limit === undefined) {
    if (!overcommitable)
      errors.push(fieldRequired(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    return;
  }
  const shown = formatQuantity(quantityOf(limit));
  const order = compareQuantity(request, quantityOf(limit));
  if (!overcommitable && order !== 0)
    errors.push(
      fieldInvalid(`${path}.requests`, formatQuantity(request), `must be equal to ${name} limit of ${shown}`),
    );
  else if (order > 0)
    errors.push(
      fieldInvalid(
        `${path}.requests`,
        formatQuantity(request),
        `must be less than or equal to ${name} limit of ${shown}`,
      ),
    );
}

/** `resources` of a container or a pod. */
export function checkResources(
  resources: Fields | undefined,
  path: string,
  podClaims: readonly string[],
  errors: Errors,
): void {
  const limits = child(resources, "limits") ?? {};
  for (const key of ["limits", "requests"]) {
    for (const [name, value] of entries(resources, key)) {
      const at = `${path}.${key}[${name}]`;
      checkName(name, at, errors);
      checkQuantity(name, value, at, errors);
      if (isHugePages(name)) checkHugePages(name, quantityOf(value), at, errors);
      if (key === "requests") checkRequest(name, quantityOf(value), limits, path, errors);
    }
  }
  items(resources, "claims").forEach((claim, i) =>
    checkClaim(text(claim, "name"), `${path}.claims[${i}]`, podClaims, errors),
  );
}

function checkClaim(name: string, path: string, podClaims: readonly string[], errors: Errors): void {
  if (podClaims.includes(name)) return;
  const { message, ...fault } = fieldNotFound(path, name);
  errors.push({
    ...fault,
    message: `${message}: must be one of the names in pod.spec.resourceClaims${podClaims.length === 0 ? " which is empty" : ""}`,
  });
}
