/** Volumes put together from parts, and the files that volumes are made of. */
import { fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { type Errors, requireText } from "../checks.ts";
import { fieldReference, resourceReference } from "./env.ts";
import { child, type Fields, has, items, number, text } from "../fields.ts";
import { filePath } from "./paths.ts";

const FILE_FIELDS = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive";

/** Permission bits. */
export function fileMode(value: number | undefined, path: string, errors: Errors): void {
  if (value !== undefined && (value < 0 || value > 0o777)) errors.push(fieldInvalid(path, value, MODE_TEXT));
}

/** Says of a path whether it may be used, once in the whole volume. */
type Claim = (path: string, shown: string) => void;

/** `items` of a source: which keys become which files. */
export function keysToPaths(source: Fields, path: string, errors: Errors, claim?: Claim): void {
  items(source, "items").forEach((item, i) => {
    const at = `${path}.items[${i}]`;
    requireText(text(item, "key"), `${at}.key`, errors);
    if (requireText(text(item, "path"), `${at}.path`, errors)) filePath(text(item, "path"), `${at}.path`, errors);
    fileMode(number(item, "mode"), `${at}.mode`, errors);
    claim?.(text(item, "path"), text(source, "name"));
  });
}

/** Files that show fields of the pod. */
export function downwardFiles(source: Fields, path: string, errors: Errors, claim?: Claim): void {
  for (const file of items(source, "items")) {
    if (requireText(text(file, "path"), `${path}.path`, errors)) filePath(text(file, "path"), `${path}.path`, errors);
    const field = child(file, "fieldRef");
    const resource = child(file, "resourceFieldRef");
    if (field !== undefined) {
      fieldReference(field, `${path}.fieldRef`, FILE_FIELDS, errors);
      if (resource !== undefined)
        errors.push(
          fieldInvalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
        );
    } else if (resource !== undefined) resourceReference(resource, `${path}.resourceFieldRef`, true, errors);
    else errors.push(fieldRequired(path, "one of fieldRef and resourceFieldRef is required"));
    fileMode(number(file, "mode"), `${path}.mode`, errors);
    claim?.(text(file, "path"), text(file, "path"));
  }
}

function tokenSource(token: Fields, at: string, path: string, errors: Errors): void {
  const seconds = number(token, "expirationSeconds");
  if (seconds !== undefined && seconds < 600)
    errors.push(fieldInvalid(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
  if (seconds !== undefined && seconds > 2 ** 32)
    errors.push(
      fieldInvalid(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"),
    );
  if (requireText(text(token, "path"), `${path}.path`, errors)) filePath(text(token, "path"), `${path}.path`, errors);
}

function checkSource(source: Fields, at: string, path: string, claim: Claim, errors: Errors): void {
  let found = 0;
  for (const kind of ["secret", "configMap", "downwardAPI", "serviceAccountToken"]) {
    if (!has(source, kind)) continue;
    found++;
    const projection = child(source, kind) ?? {};
    if (kind === "downwardAPI") downwardFiles(projection, `${at}.downwardAPI`, errors, claim);
    else if (kind === "serviceAccountToken") tokenSource(projection, `${at}.serviceAccountToken`, path, errors);
    else {
      requireText(text(projection, "name"), `${at}.${kind}.name`, errors);
      keysToPaths(projection, `${at}.${kind}`, errors, claim);
    }
  }
  if (found > 1) errors.push(fieldForbidden(at, "may not specify more than 1 volume type per source"));
}

/** A `projected` volume. */
export function projected(volume: Fields, path: string, errors: Errors): void {
  fileMode(number(volume, "defaultMode"), `${path}.defaultMode`, errors);
  const claimed = new Set<string>();
  const claim: Claim = (file, shown) => {
    if (file === "") return;
    if (claimed.has(file)) errors.push(fieldInvalid(path, shown, "conflicting duplicate paths"));
    claimed.add(file);
  };
  items(volume, "sources").forEach((source, i) => checkSource(source, `${path}.sources[${i}]`, path, claim, errors));
}
