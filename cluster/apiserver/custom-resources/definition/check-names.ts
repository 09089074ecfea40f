/** The names of a CRD's resource and kind. */
import { fieldInvalid, fieldRequired } from "@travelops/kube";
import { dns1035Label, type Errors, type TextCheck } from "../../validation/checks.ts";
import { strings, text, type Fields } from "../../validation/fields.ts";

const mixedCase: TextCheck = (value) => {
  const faults = dns1035Label(value.toLowerCase());
  return faults.length === 0 ? [] : [`may have mixed case, but should otherwise match: ${faults.join(",")}`];
};

const NAMES: readonly (readonly [key: string, check: TextCheck])[] = [
  ["plural", dns1035Label],
  ["singular", dns1035Label],
  ["kind", mixedCase],
  ["listKind", mixedCase],
];

function checkAll(names: readonly string[], path: string, errors: Errors): void {
  names.forEach((name, i) => {
    const faults = dns1035Label(name);
    if (faults.length > 0) errors.push(fieldInvalid(`${path}[${i}]`, name, faults.join(",")));
  });
}

/** Names, whether they are asked for or accepted. */
export function checkNames(names: Fields | undefined, path: string, errors: Errors): void {
  for (const [key, check] of NAMES) {
    const name = text(names, key);
    const faults = name === "" ? [] : check(name);
    if (faults.length > 0) errors.push(fieldInvalid(`${path}.${key}`, name, faults.join(",")));
  }
  checkAll(strings(names, "shortNames"), `${path}.shortNames`, errors);
  const kind = text(names, "kind");
  if (kind !== "" && kind === text(names, "listKind"))
    errors.push(fieldInvalid(`${path}.listKind`, kind, "kind and listKind may not be the same"));
  checkAll(strings(names, "categories"), `${path}.categories`, errors);
}

/** Names that have to be asked for. */
export function requireNames(names: Fields | undefined, path: string, errors: Errors): void {
  for (const [key] of NAMES) if (text(names, key) === "") errors.push(fieldRequired(`${path}.${key}`));
}
