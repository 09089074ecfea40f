/** What containers and pods ask for and may have. */
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  type FieldError,
} from "@travelops/kube";
import {
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  tryParseQuantity,
} from "@travelops/kube/api/quantity";
import { checkText, dnsLabel, type Errors } from "../checks.ts";
import { child, entries, type Fields, items, text } from "../fields.ts";
import {
  containerResourceName,
  isHugePages,
  mayOvercommit,
  resourceName,
  resourceQuantity,
} from "../objects/resource-names.ts";

const isWhole = (quantity: Quantity): boolean => quantity.nano % 1_000_000_000n === 0n;
const quantityOf = (value: unknown): Quantity => tryParseQuantity(value) ?? parseQuantity(0);

function checkPodResource(name: string, path: string, errors: Errors): void {
  if (!resourceName(name, path, errors)) return;
  if (name !== "cpu" && name !== "memory" && !isHugePages(name))
    errors.push(fieldNotSupported(path, name, ["cpu", "hugepages-", "memory"]));
}

function checkHugePages(name: string, quantity: Quantity, path: string, errors: Errors): void {
  const size = tryParseQuantity(name.slice("hugepages-".length));
  if (size !== undefined && size.nano > 0n && isWhole(size) && quantity.nano % size.nano === 0n) return;
  const shown = formatQuantity(quantity);
  errors.push(fieldInvalid(path, shown, `${shown} is not positive integer multiple of ${name}`));
}

function checkRequest(name: string, request: Quantity, limits: Fields, path: string, errors: Errors): void {
  const limit = limits[name];
  const overcommitable = mayOvercommit(name);
  if (limit === undefined) {
    if (!overcommitable)
      errors.push(fieldRequired(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    return;
  }
  const order = compareQuantity(request, quantityOf(limit));
  const must = !overcommitable && order !== 0 ? "equal to" : order > 0 ? "less than or equal to" : undefined;
  if (must !== undefined)
    errors.push(
      fieldInvalid(
        `${path}.requests`,
        formatQuantity(request),
        `must be ${must} ${name} limit of ${formatQuantity(quantityOf(limit))}`,
      ),
    );
}

/** Whose resources they are: a pod has no others than these. */
export type ResourcesOf = "container" | "pod";

/** `resources` of a container or a pod. */
export function checkResources(
  resources: Fields | undefined,
  path: string,
  podClaims: readonly string[],
  errors: Errors,
  of: ResourcesOf = "container",
): void {
  const limits = child(resources, "limits") ?? {};
  const names: string[] = [];
  for (const key of ["limits", "requests"]) {
    for (const [name, value] of entries(resources, key)) {
      const at = `${path}.${key}[${name}]`;
      names.push(name);
      if (of === "pod") checkPodResource(name, at, errors);
      else containerResourceName(name, at, errors);
      resourceQuantity(name, value, at, errors);
      if (key === "requests") checkRequest(name, quantityOf(value), limits, path, errors);
      if (isHugePages(name)) checkHugePages(name, quantityOf(value), at, errors);
    }
  }
  if (names.some(isHugePages) && !names.includes("cpu") && !names.includes("memory"))
    errors.push(fieldForbidden(path, "HugePages require cpu or memory"));
  checkClaims(resources, `${path}.claims`, podClaims, errors);
}

/** What a container uses of the pod's claims: whole ones, or requests of them, each once. */
function checkClaims(resources: Fields | undefined, path: string, podClaims: readonly string[], errors: Errors): void {
  const used = new Set<string>();
  items(resources, "claims").forEach((claim, i) => {
    const at = `${path}[${i}]`;
    const name = text(claim, "name");
    if (name === "") {
      errors.push(fieldRequired(at));
      return;
    }
    const request = text(claim, "request");
    const key = request === "" ? name : `${name}/${request}`;
    if (used.has(name)) errors.push(fieldDuplicate(at, name));
    else {
      if (request !== "") checkText(request, `${at}.request`, dnsLabel, errors);
      if (used.has(key)) errors.push(fieldDuplicate(at, key));
      else if (request === "")
        for (const other of used) if (other.startsWith(`${name}/`)) errors.push(fieldDuplicate(at, name));
      used.add(key);
    }
    if (!podClaims.includes(name)) errors.push(unknownClaim(at, name, podClaims));
  });
}

function unknownClaim(path: string, name: string, podClaims: readonly string[]): FieldError {
  const { message, ...fault } = fieldNotFound(path, name);
  const known = podClaims.length === 0 ? " which is empty" : `: ${podClaims.toSorted().join(", ")}`;
  return { ...fault, message: `${message}: must be one of the names in pod.spec.resourceClaims${known}` };
}
