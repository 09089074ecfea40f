/** Rules of webhooks and policies: which operations on which resources they are about. */
import { fieldInvalid, fieldRequired } from "@travelops/kube";
import { type Errors, oneOf } from "../checks.ts";
import { type Fields, has, strings } from "../fields.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

function checkStar(rule: Fields, key: string, what: string, path: string, errors: Errors): void {
  const values = strings(rule, key);
  if (values.length === 0) errors.push(fieldRequired(`${path}.${key}`));
  if (values.length > 1 && values.includes("*"))
    errors.push(fieldInvalid(`${path}.${key}`, values, `if '*' is present, must not specify other ${what}`));
}

/** A star for either part says all there is to say about the other. */
function checkSubresources(values: readonly string[], path: string, errors: Errors): void {
  const resources = new Set<string>();
  const subresources = new Set<string>();
  values.forEach((value, i) => {
    const slash = value.indexOf("/");
    if (slash === -1) return;
    const [resource, subresource] = [value.slice(0, slash), value.slice(slash + 1)];
    for (const [known, name, star] of [
      [resources, resource, `${resource}/*`],
      [subresources, subresource, `*/${subresource}`],
    ] as const)
      if (known.has(name))
        errors.push(fieldInvalid(`${path}[${i}]`, value, `if '${star}' is present, must not specify ${value}`));
    if (subresource === "*") resources.add(resource);
    if (resource === "*") subresources.add(subresource);
  });
}

function checkResources(rule: Fields, path: string, errors: Errors): void {
  const values = strings(rule, "resources");
  if (values.length === 0) errors.push(fieldRequired(`${path}.resources`));
  values.forEach((value, i) => {
    if (value === "") errors.push(fieldRequired(`${path}.resources[${i}]`));
  });
  checkSubresources(values, `${path}.resources`, errors);
  if (values.length > 1 && values.includes("*/*"))
    errors.push(fieldInvalid(`${path}.resources`, values, "if '*/*' is present, must not specify other resources"));
  if (values.includes("*") && values.some((value) => value !== "*" && !value.includes("/"))) {
    errors.push(
      fieldInvalid(
        `${path}.resources`,
        values,
        "if '*' is present, must not specify other resources without subresources",
      ),
    );
  }
}

/** A rule of a webhook or of a policy. */
export function checkRule(rule: Fields, path: string, errors: Errors): void {
  checkStar(rule, "operations", "operations", path, errors);
  strings(rule, "operations").forEach((operation, i) =>
    oneOf(operation, `${path}.operations[${i}]`, OPERATIONS, errors),
  );
  checkStar(rule, "apiGroups", "API groups", path, errors);
  checkStar(rule, "apiVersions", "API versions", path, errors);
  strings(rule, "apiVersions").forEach((version, i) => {
    if (version === "") errors.push(fieldRequired(`${path}.apiVersions[${i}]`));
  });
  checkResources(rule, path, errors);
  if (has(rule, "scope")) oneOf(rule["scope"], `${path}.scope`, ["*", "Cluster", "Namespaced"], errors);
}
