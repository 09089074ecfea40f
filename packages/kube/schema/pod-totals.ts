/** What the containers of a pod need together. */
import { addQuantity, compareQuantity, type Quantity, tryParseQuantity } from "../api/quantity.ts";
import { isObject } from "./json-value.ts";

type Fields = Readonly<Record<string, unknown>>;
type Totals = Map<string, Quantity>;

const listOf = (spec: Fields, key: string): readonly Fields[] => {
  const list = spec[key];
  return Array.isArray(list) ? list.filter(isObject) : [];
};

/** Limits or requests of one container; what is no quantity is not there. */
export function containerQuantities(container: Fields, key: "limits" | "requests"): [name: string, Quantity][] {
  const resources = container["resources"];
  const all = isObject(resources) ? resources[key] : undefined;
  return Object.entries(isObject(all) ? all : {}).flatMap(([name, value]) => {
    const quantity = tryParseQuantity(value);
    return quantity === undefined ? [] : [[name, quantity] as [string, Quantity]];
  });
}

const raise = (totals: Totals, name: string, quantity: Quantity): void => {
  const known = totals.get(name);
  if (known === undefined || compareQuantity(quantity, known) > 0) totals.set(name, quantity);
};

const add = (totals: Totals, name: string, quantity: Quantity): Quantity => {
  const known = totals.get(name);
  const sum = known === undefined ? quantity : addQuantity(known, quantity);
  totals.set(name, sum);
  return sum;
};

/** Of those that run side by side, or of a single one that runs before them, whichever is more. */
export function podTotals(spec: Fields, key: "limits" | "requests"): ReadonlyMap<string, Quantity> {
  const total: Totals = new Map();
  const beside: Totals = new Map();
  const before: Totals = new Map();
  for (const container of listOf(spec, "containers"))
    for (const [name, quantity] of containerQuantities(container, key)) add(total, name, quantity);
  for (const container of listOf(spec, "initContainers")) {
    const lasts = container["restartPolicy"] === "Always";
    for (const [name, quantity] of containerQuantities(container, key)) {
      const others = beside.get(name);
      if (lasts) add(total, name, quantity);
      if (lasts) raise(before, name, add(beside, name, quantity));
      else raise(before, name, others === undefined ? quantity : addQuantity(quantity, others));
    }
  }
  for (const [name, quantity] of before) raise(total, name, quantity);
  return total;
}
