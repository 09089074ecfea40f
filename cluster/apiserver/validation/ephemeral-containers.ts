/** Containers that `kubectl debug` adds to a running pod: what they may not have, and that they stay as they are. */
import { fieldDuplicate, fieldForbidden, fieldNotFound, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, dnsLabel, type Errors } from "./checks.ts";
import { forbiddenChange } from "./comparison/forbidden-change.ts";
import { child, has, items, text, type Fields } from "./fields.ts";

const PATH = "spec.ephemeralContainers";
const NOT_FOR_THEM = ["lifecycle", "livenessProbe", "ports", "readinessProbe", "resources", "startupProbe"] as const;

const nameOf = (container: Fields): string => text(container, "name");
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);

/** A write to `pods/NAME/ephemeralcontainers`. */
export function checkEphemeralContainers(pod: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(pod, "spec") ?? {};
  const all = items(spec, "ephemeralContainers");
  const others = [...items(spec, "containers"), ...items(spec, "initContainers")].map(nameOf);
  all.forEach((container, n) => {
    const path = `${PATH}[${n}]`;
    const name = nameOf(container);
    if (name === "") errors.push(fieldRequired(`${path}.name`));
    else checkText(name, `${path}.name`, dnsLabel, errors);
    if (text(container, "image") === "") errors.push(fieldRequired(`${path}.image`));
    if (others.includes(name) || all.findIndex((each) => nameOf(each) === name) < n)
      errors.push(fieldDuplicate(`${path}.name`, name));
    const target = text(container, "targetContainerName");
    if (target !== "" && !others.includes(target)) errors.push(fieldNotFound(`${path}.targetContainerName`, target));
    for (const field of NOT_FOR_THEM) {
      if (has(container, field) && !isEmpty(container[field]))
        errors.push(fieldForbidden(`${path}.${field}`, "cannot be set for an Ephemeral Container"));
    }
  });
  for (const before of items(child(old, "spec"), "ephemeralContainers")) {
    const name = JSON.stringify(nameOf(before));
    const now = all.find((container) => nameOf(container) === nameOf(before));
    if (now === undefined)
      errors.push(fieldForbidden(PATH, `existing ephemeral containers ${name} may not be removed\n`));
    else if (!equalJson(now, before))
      errors.push(
        forbiddenChange(
          PATH,
          `existing ephemeral containers ${name} may not be changed`,
          "EphemeralContainer",
          before,
          now,
        ),
      );
  }
}
