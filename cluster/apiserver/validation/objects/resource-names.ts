/** Names of resources, as quotas, limits and containers may have them. */
import { fieldInvalid } from "@travelops/kube";
import { formatQuantity, quantityMilli, tryParseQuantity } from "@travelops/kube/api/quantity";
import { checkText, type Errors, nonNegativeQuantity, qualifiedName } from "../checks.ts";

const COUNTED: ReadonlySet<string> = new Set([
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);
const STANDARD: ReadonlySet<string> = new Set([
  ...COUNTED,
  ...["", "requests.", "limits."].flatMap((prefix) =>
    ["cpu", "memory", "ephemeral-storage"].map((name) => `${prefix}${name}`),
  ),
  "storage",
  "requests.storage",
]);
const HUGE_PAGES = "hugepages-";

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES);

const isStandard = (name: string): boolean =>
  STANDARD.has(name) || isHugePages(name) || name.startsWith(`requests.${HUGE_PAGES}`);

const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");

const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith("requests.") && qualifiedName(`requests.${name}`).length === 0;

/** Whether more of it may be promised than there is. */
export const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePages(name);

/** The name of any resource. False when it is none. */
export function resourceName(name: string, path: string, errors: Errors): boolean {
  const found = errors.length;
  checkText(name, path, qualifiedName, errors);
  if (errors.length === found && !name.includes("/") && !isStandard(name))
    errors.push(fieldInvalid(path, name, "must be a standard resource type or fully qualified"));
  return errors.length === found;
}

/** The name of what a container can have of its own. */
export function containerResourceName(name: string, path: string, errors: Errors): void {
  resourceName(name, path, errors);
  if (!name.includes("/")) {
    if (!["cpu", "memory", "ephemeral-storage"].includes(name) && !isHugePages(name))
      errors.push(fieldInvalid(path, name, "must be a standard resource for containers"));
  } else if (!isNative(name) && !isExtended(name))
    errors.push(fieldInvalid(path, name, "doesn't follow extended resource name standard"));
}

/** The name of what a quota can limit. */
export function quotaResourceName(name: string, path: string, errors: Errors): void {
  resourceName(name, path, errors);
  if (!name.includes("/") && (name === "storage" || !isStandard(name)))
    errors.push(fieldInvalid(path, name, "must be a standard resource for quota"));
}

/** How much of a resource: nothing less than none, and what can be counted in whole ones. */
export function resourceQuantity(name: string, value: unknown, path: string, errors: Errors): void {
  nonNegativeQuantity(value, path, errors);
  const quantity = tryParseQuantity(value);
  if (quantity === undefined || !(COUNTED.has(name) || isExtended(name))) return;
  if (quantityMilli(quantity) % 1000n !== 0n)
    errors.push(fieldInvalid(path, formatQuantity(quantity), "must be an integer"));
}
