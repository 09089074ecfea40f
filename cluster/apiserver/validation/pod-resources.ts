/** Resources of a whole pod, beside those of its containers. */
import { fieldForbidden, fieldInvalid } from "@travelops/kube";
import { compareQuantity, formatQuantity, type Quantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import type { Errors } from "./checks.ts";
import { child, entries, type Fields, items, text } from "./fields.ts";
import { checkResources } from "./resources.ts";

type Totals = Map<string, Quantity>;

const sum = (a: Quantity, b: Quantity): Quantity => ({ ...a, nano: a.nano + b.nano });

function quantities(container: Fields, key: "limits" | "requests"): [name: string, quantity: Quantity][] {
  return entries(child(container, "resources"), key).flatMap(([name, value]) => {
    const quantity = tryParseQuantity(value);
    return quantity === undefined ? [] : [[name, quantity] as [string, Quantity]];
  });
}

/** What containers need together: those that run side by side, or a single one that runs before them. */
function totals(spec: Fields, key: "limits" | "requests"): Totals {
  const total: Totals = new Map();
  const beside: Totals = new Map();
  const before: Totals = new Map();
  const add = (to: Totals, name: string, quantity: Quantity): void => {
    const known = to.get(name);
    to.set(name, known === undefined ? quantity : sum(known, quantity));
  };
  const most = (to: Totals, name: string, quantity: Quantity): void => {
    const known = to.get(name);
    if (known === undefined || compareQuantity(quantity, known) > 0) to.set(name, quantity);
  };
  for (const container of items(spec, "containers"))
    for (const [name, quantity] of quantities(container, key)) add(total, name, quantity);
  for (const container of items(spec, "initContainers")) {
    const lasts = text(container, "restartPolicy") === "Always";
    for (const [name, quantity] of quantities(container, key)) {
      if (lasts) {
        add(total, name, quantity);
        add(beside, name, quantity);
        most(before, name, beside.get(name) ?? quantity);
      } else {
        const others = beside.get(name);
        most(before, name, others === undefined ? quantity : sum(quantity, others));
      }
    }
  }
  for (const [name, quantity] of before) most(total, name, quantity);
  return total;
}

function covers(spec: Fields, key: "limits" | "requests", path: string, errors: Errors): void {
  const own = child(child(spec, "resources"), key) ?? {};
  for (const [name, needed] of totals(spec, key)) {
    if (key === "limits" && !name.startsWith("hugepages-")) continue;
    const given = tryParseQuantity(own[name]);
    if (given === undefined || compareQuantity(needed, given) <= 0) continue;
    errors.push(
      fieldInvalid(
        `${path}.${key}[${name}]`,
        formatQuantity(given),
        `must be greater than or equal to aggregate container ${key} of ${formatQuantity(needed)}`,
      ),
    );
  }
}

/** `resources` of a pod's spec, and that its containers stay within them. */
export function checkPodResources(spec: Fields, path: string, claims: readonly string[], errors: Errors): void {
  const resources = child(spec, "resources");
  if (resources === undefined) return;
  const at = `${path}.resources`;
  if (text(child(spec, "os"), "name") === "windows") {
    errors.push(fieldForbidden(at, "may not be set for a windows pod"));
    return;
  }
  if (Array.isArray(resources["claims"]))
    errors.push(fieldForbidden(`${at}.claims`, "claims may not be set for Resources at pod-level"));
  checkResources(resources, at, claims, errors, "pod");
  covers(spec, "requests", at, errors);
  covers(spec, "limits", at, errors);
  const limits = child(resources, "limits") ?? {};
  items(spec, "containers").forEach((container, i) => {
    for (const [name, limit] of quantities(container, "limits")) {
      const given = tryParseQuantity(limits[name]);
      if (given === undefined || compareQuantity(limit, given) <= 0) continue;
      errors.push(
        fieldInvalid(
          `${at}.containers[${i}][${name}].limits`,
          formatQuantity(limit),
          `must be less than or equal to pod limits of ${formatQuantity(given)}`,
        ),
      );
    }
  });
}
