/** Containers that `kubectl debug` adds to a running pod: what they may not have, and that they stay as they are. */
import { fieldDuplicate, fieldForbidden, fieldNotFound, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { Errors } from "../checks.ts";
import { forbiddenChange } from "../comparison/forbidden-change.ts";
import { checkContainer, checkPadding, type PodContext } from "./containers.ts";
import { child, items, text, type Fields } from "../fields.ts";

const NOT_FOR_THEM = [
  "ports",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
];
const DETAIL = "cannot be set for an Ephemeral Container";

const nameOf = (container: Fields): string => text(container, "name");

/** As Go has it: an empty list that was sent is something. */
function isUnset(key: string, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return key === "resources" && typeof value === "object" && Object.keys(value).length === 0;
}

/** The ephemeral containers in a pod's spec. */
export function checkEphemeral(spec: Fields, path: string, pod: PodContext, errors: Errors): void {
  const all = items(spec, "ephemeralContainers");
  if (all.length === 0) return;
  const others = new Set([...items(spec, "containers"), ...items(spec, "initContainers")].map(nameOf));
  const names = new Set(others);
  all.forEach((container, n) => {
    const at = `${path}.ephemeralContainers[${n}]`;
    const name = nameOf(container);
    checkContainer(container, at, pod, errors);
    checkPadding(container, at, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    names.add(name);
    const target = text(container, "targetContainerName");
    if (target !== "" && !others.has(target)) errors.push(fieldNotFound(`${at}.targetContainerName`, target));
    for (const field of NOT_FOR_THEM)
      if (!isUnset(field, container[field])) errors.push(fieldForbidden(`${at}.${field}`, DETAIL));
    items(container, "volumeMounts").forEach((mount, i) => {
      for (const key of ["subPath", "subPathExpr"])
        if (text(mount, key) !== "") errors.push(fieldForbidden(`${at}.volumeMounts[${i}].${key}`, DETAIL));
    });
  });
}

/** A write to `pods/NAME/ephemeralcontainers`: those that are there stay, as they are. */
export function checkEphemeralChange(pod: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const path = "spec.ephemeralContainers";
  const all = items(child(pod, "spec"), "ephemeralContainers");
  for (const before of items(child(old, "spec"), "ephemeralContainers")) {
    const name = JSON.stringify(nameOf(before));
    const now = all.find((container) => nameOf(container) === nameOf(before));
    if (now === undefined)
      errors.push(fieldForbidden(path, `existing ephemeral containers ${name} may not be removed\n`));
    else if (!equalJson(now, before))
      errors.push(
        forbiddenChange(
          path,
          `existing ephemeral containers ${name} may not be changed`,
          "EphemeralContainer",
          before,
          now,
        ),
      );
  }
}
