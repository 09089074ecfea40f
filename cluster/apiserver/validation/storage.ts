/** Persistent volumes, claims and storage classes. */
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type KubeObject,
} from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube/api/quantity";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  checkText,
  dnsSubdomain,
  type Errors,
  labelSelector,
  labelValue,
  oneOf,
  qualifiedName,
  requireText,
} from "./checks.ts";
import { child, entries, type Fields, has, items, list, strings, text } from "./fields.ts";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES = ["Block", "Filesystem"];

function accessModes(spec: Fields, path: string, required: string, errors: Errors): void {
  const modes = strings(spec, "accessModes");
  if (modes.length === 0) errors.push(fieldRequired(`${path}.accessModes`, required));
  for (const mode of modes) oneOf(mode, `${path}.accessModes`, ACCESS_MODES, errors);
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    errors.push(fieldForbidden(`${path}.accessModes`, "may not use ReadWriteOncePod with other access modes"));
  }
}

function positiveQuantity(value: unknown, path: string, errors: Errors): void {
  const quantity = tryParseQuantity(value);
  if (quantity !== undefined && quantity.nano <= 0n)
    errors.push(fieldInvalid(path, value, "must be greater than zero"));
}

function className(spec: Fields, path: string, errors: Errors): void {
  const name = text(spec, "storageClassName");
  if (name !== "") checkText(name, `${path}.storageClassName`, dnsSubdomain, errors);
  if (has(spec, "volumeMode")) oneOf(spec["volumeMode"], `${path}.volumeMode`, VOLUME_MODES, errors);
}

export function checkClaimSpec(spec: Fields = {}, path: string, errors: Errors): void {
  accessModes(spec, path, "at least 1 access mode is required", errors);
  labelSelector(child(spec, "selector"), `${path}.selector`, errors);
  const storage = child(child(spec, "resources"), "requests")?.["storage"];
  if (storage === undefined) errors.push(fieldRequired(`${path}.resources[storage]`));
  else positiveQuantity(storage, `${path}.resources[storage]`, errors);
  className(spec, path, errors);
}

/** What may change of a claim once it is there: its request, once it is bound. */
export function checkClaim(claim: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(claim, "spec") ?? {};
  checkClaimSpec(spec, "spec", errors);
  if (old === undefined) return;
  const before = child(old, "spec") ?? {};
  const bound = text(child(old, "status"), "phase") === "Bound";
  const request = (of: Fields): unknown => child(child(of, "resources"), "requests")?.["storage"];
  const frozen = (of: Fields): Fields => {
    const { volumeAttributesClassName, ...rest } = of;
    const settled = bound ? { ...rest, resources: undefined } : { ...rest, volumeAttributesClassName };
    // A binder fills these in.
    return {
      ...settled,
      ...(text(before, "volumeName") === "" ? { volumeName: undefined } : {}),
      ...(has(before, "storageClassName") ? {} : { storageClassName: undefined }),
    };
  };
  if (!equalJson(JSON.parse(JSON.stringify(frozen(spec))), JSON.parse(JSON.stringify(frozen(before))))) {
    errors.push(
      fieldForbidden(
        "spec",
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
      ),
    );
    return;
  }
  const now = tryParseQuantity(request(spec));
  const then = tryParseQuantity(request(before));
  if (now !== undefined && then !== undefined && now.nano < then.nano) {
    errors.push(fieldForbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
  }
}

const NO_SOURCE: ReadonlySet<string> = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

const sourcesOf = (spec: Fields): string[] => Object.keys(spec).filter((key) => !NO_SOURCE.has(key) && has(spec, key));

function capacity(spec: Fields, errors: Errors): void {
  const storage = child(spec, "capacity");
  if (storage === undefined) errors.push(fieldRequired("spec.capacity"));
  if (storage === undefined || storage["storage"] === undefined || Object.keys(storage).length > 1) {
    errors.push(fieldNotSupported("spec.capacity", storage ?? null, ["storage"]));
  } else {
    const quantity = tryParseQuantity(storage["storage"]);
    if (quantity !== undefined && quantity.nano < 0n)
      errors.push(
        fieldInvalid(
          "spec.capacity[storage]",
          Number(quantity.nano / 1_000_000_000n),
          "must be a valid resource quantity",
        ),
      );
    positiveQuantity(storage["storage"], "spec.capacity[storage]", errors);
  }
}

function volumeSource(spec: Fields, errors: Errors): void {
  const sources = sourcesOf(spec);
  if (sources.length === 0) errors.push(fieldRequired("spec", "must specify a volume type"));
  sources
    .slice(1)
    .forEach((kind) => errors.push(fieldForbidden(`spec.${kind}`, "may not specify more than 1 volume type")));
  const path = text(child(spec, "hostPath"), "path");
  if (has(spec, "hostPath")) {
    if (path === "") errors.push(fieldRequired("spec.hostPath.path"));
    else if (path.split("/").includes(".."))
      errors.push(fieldInvalid("spec.hostPath.path", path, "must not contain '..'"));
  }
  if (has(spec, "local") && !has(spec, "nodeAffinity"))
    errors.push(fieldRequired("spec.nodeAffinity", "Local volume requires node affinity"));
  if (path === "/" && spec["persistentVolumeReclaimPolicy"] === "Recycle") {
    errors.push(
      fieldForbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"),
    );
  }
}

export function checkVolume(volume: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(volume, "spec") ?? {};
  accessModes(spec, "spec", "", errors);
  capacity(spec, errors);
  oneOf(
    text(spec, "persistentVolumeReclaimPolicy"),
    "spec.persistentVolumeReclaimPolicy",
    ["Delete", "Recycle", "Retain"],
    errors,
  );
  volumeSource(spec, errors);
  className(spec, "spec", errors);
  const before = child(old, "spec");
  if (before === undefined) return;
  const source = (of: Fields): Fields => Object.fromEntries(sourcesOf(of).map((key) => [key, of[key]]));
  if (!equalJson(source(spec), source(before))) {
    errors.push(
      fieldForbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"),
    );
  }
  if (has(before, "volumeMode") && spec["volumeMode"] !== before["volumeMode"]) {
    errors.push(fieldInvalid("spec.volumeMode", spec["volumeMode"], "field is immutable"));
  }
}

function topologies(storage: KubeObject, errors: Errors): void {
  items(storage, "allowedTopologies").forEach((term, i) => {
    items(term, "matchLabelExpressions").forEach((requirement, j) => {
      const at = `allowedTopologies[${i}].matchLabelExpressions[${j}]`;
      if (list(requirement, "values").length === 0) errors.push(fieldRequired(`${at}.values`));
      const values = strings(requirement, "values");
      values.forEach((value, k) => {
        checkText(value, `${at}.values[${k}]`, labelValue, errors);
        if (values.indexOf(value) !== k) errors.push(fieldDuplicate(`${at}.values[${k}]`, value));
      });
      checkText(text(requirement, "key"), `${at}.key`, qualifiedName, errors);
    });
  });
}

export function checkStorageClass(storage: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (old !== undefined) {
    for (const key of ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]) {
      if (equalJson(storage[key] ?? null, old[key] ?? null)) continue;
      if (key === "volumeBindingMode") errors.push(fieldInvalid(key, storage[key], "field is immutable"));
      else errors.push(fieldForbidden(key, `updates to ${key} are forbidden.`));
    }
    return;
  }
  const provisioner = text(storage, "provisioner");
  if (requireText(provisioner, "provisioner", errors)) {
    for (const fault of qualifiedName(provisioner.toLowerCase()))
      errors.push(fieldInvalid("provisioner", provisioner.toLowerCase(), fault));
  }
  for (const [key] of entries(storage, "parameters"))
    if (key === "") errors.push(fieldInvalid("parameters", key, "field can not be empty."));
  oneOf(text(storage, "reclaimPolicy"), "reclaimPolicy", ["Delete", "Retain"], errors);
  oneOf(text(storage, "volumeBindingMode"), "volumeBindingMode", ["Immediate", "WaitForFirstConsumer"], errors);
  topologies(storage, errors);
}
