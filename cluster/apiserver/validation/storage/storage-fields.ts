/** Fields that volumes and claims have in common. */
import { fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { formatQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { checkText, dnsSubdomain, type Errors, oneOf } from "../checks.ts";
import { type Fields, has, strings, text } from "../fields.ts";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES = ["Block", "Filesystem"];

/** Which modes there are, and which go together. */
export function modesOf(spec: Fields, path: string, errors: Errors): void {
  const modes = strings(spec, "accessModes");
  for (const mode of modes) oneOf(mode, `${path}.accessModes`, ACCESS_MODES, errors);
  const others = modes.some((mode) => mode !== "ReadWriteOncePod" && ACCESS_MODES.includes(mode));
  if (modes.includes("ReadWriteOncePod") && others) {
    errors.push(fieldForbidden(`${path}.accessModes`, "may not use ReadWriteOncePod with other access modes"));
  }
}

export function accessModes(spec: Fields, path: string, errors: Errors): void {
  if (strings(spec, "accessModes").length === 0) errors.push(fieldRequired(`${path}.accessModes`));
  modesOf(spec, path, errors);
}

export function positiveQuantity(value: unknown, path: string, errors: Errors): boolean {
  const quantity = tryParseQuantity(value);
  if (quantity === undefined || quantity.nano > 0n) return true;
  errors.push(fieldInvalid(path, formatQuantity(quantity), "must be greater than zero"));
  return false;
}

export function storageClassName(spec: Fields, path: string, errors: Errors): void {
  const name = text(spec, "storageClassName");
  if (name !== "") checkText(name, `${path}.storageClassName`, dnsSubdomain, errors);
}

export function volumeMode(spec: Fields, path: string, errors: Errors): void {
  if (has(spec, "volumeMode")) oneOf(spec["volumeMode"], `${path}.volumeMode`, VOLUME_MODES, errors);
}
