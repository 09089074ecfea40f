/** Where a pod may run: affinity, tolerations, spreading. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from "@travelops/kube";
import {
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  labelSelector,
  labelValue,
  oneOf,
  qualifiedName,
  requireText,
  selectorOperator,
} from "../checks.ts";
import { child, type Fields, has, items, list, number, strings, text } from "../fields.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function nodeRequirement(requirement: Fields, path: string, errors: Errors, required: boolean): void {
  const operator = text(requirement, "operator");
  if (operator !== "Gt" && operator !== "Lt") selectorOperator(requirement, path, errors);
  else if (list(requirement, "values").length !== 1)
    errors.push(fieldRequired(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  checkText(text(requirement, "key"), `${path}.key`, qualifiedName, errors);
  // What is only preferred may name values that no label can have.
  if (required)
    strings(requirement, "values").forEach((value, i) => checkText(value, `${path}.values[${i}]`, labelValue, errors));
}

function nodeField(requirement: Fields, path: string, errors: Errors): void {
  const operator = text(requirement, "operator");
  if (operator !== "In" && operator !== "NotIn")
    errors.push(fieldInvalid(`${path}.operator`, operator, "not a valid selector operator"));
  else if (list(requirement, "values").length !== 1) {
    errors.push(
      fieldRequired(
        `${path}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      ),
    );
  }
  if (text(requirement, "key") !== "metadata.name")
    errors.push(fieldInvalid(`${path}.key`, text(requirement, "key"), "not a valid field selector key"));
  else
    strings(requirement, "values").forEach((value, i) =>
      checkText(value, `${path}.values[${i}]`, dnsSubdomain, errors),
    );
}

/** Which nodes may have it: one of the terms. */
export function checkNodeSelector(selector: Fields, path: string, errors: Errors): void {
  const terms = items(selector, "nodeSelectorTerms");
  if (terms.length === 0)
    errors.push(fieldRequired(`${path}.nodeSelectorTerms`, "must have at least one node selector term"));
  terms.forEach((term, i) => nodeTerm(term, `${path}.nodeSelectorTerms[${i}]`, errors, true));
}

function nodeTerm(term: Fields | undefined, path: string, errors: Errors, required = false): void {
  items(term, "matchExpressions").forEach((requirement, i) =>
    nodeRequirement(requirement, `${path}.matchExpressions[${i}]`, errors, required),
  );
  items(term, "matchFields").forEach((requirement, i) => nodeField(requirement, `${path}.matchFields[${i}]`, errors));
}

function weight(term: Fields, path: string, errors: Errors): void {
  const value = number(term, "weight") ?? 0;
  if (value < 1 || value > 100) errors.push(fieldInvalid(`${path}.weight`, value, "must be in the range 1-100"));
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

function nodeAffinity(affinity: Fields | undefined, path: string, errors: Errors): void {
  const required = child(affinity, REQUIRED);
  if (required !== undefined) checkNodeSelector(required, `${path}.${REQUIRED}`, errors);
  items(affinity, PREFERRED).forEach((term, i) => {
    weight(term, `${path}.${PREFERRED}[${i}]`, errors);
    nodeTerm(child(term, "preference"), `${path}.${PREFERRED}[${i}].preference`, errors);
  });
}

/** `matchLabelKeys` and `mismatchLabelKeys`, beside the selector that they become part of. */
function labelKeys(term: Fields, path: string, errors: Errors): void {
  const selector = child(term, "labelSelector");
  for (const field of ["matchLabelKeys", "mismatchLabelKeys"]) {
    const keys = strings(term, field);
    if (keys.length === 0) continue;
    if (selector === undefined)
      errors.push(fieldForbidden(`${path}.${field}`, "must not be specified when labelSelector is not set"));
    else keys.forEach((key, i) => checkText(key, `${path}.${field}[${i}]`, qualifiedName, errors));
  }
  const keys = strings(term, "matchLabelKeys");
  if (keys.length === 0) return;
  const selected = new Set(Object.keys(child(selector, "matchLabels") ?? {}));
  for (const { key: selecting } of items(selector, "matchExpressions")) {
    const key = typeof selecting === "string" ? selecting : "";
    // The one that the server makes of it is in there too.
    if (keys.includes(key) && selected.has(key))
      errors.push(
        fieldInvalid(`${path}[${keys.lastIndexOf(key)}]`, key, "exists in both matchLabelKeys and labelSelector"),
      );
    selected.add(key);
  }
  const others = strings(term, "mismatchLabelKeys");
  keys.forEach((key, i) => {
    if (others.includes(key))
      errors.push(
        fieldInvalid(`${path}.matchLabelKeys[${i}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys"),
      );
  });
}

function podTerm(term: Fields | undefined, path: string, errors: Errors): void {
  labelSelector(child(term, "labelSelector"), `${path}.labelSelector`, errors);
  labelSelector(child(term, "namespaceSelector"), `${path}.namespaceSelector`, errors);
  for (const namespace of strings(term, "namespaces")) checkText(namespace, `${path}.namespace`, dnsLabel, errors);
  labelKeys(term ?? {}, path, errors);
  const key = text(term, "topologyKey");
  requireText(key, `${path}.topologyKey`, errors, "can not be empty");
  checkText(key, `${path}.topologyKey`, qualifiedName, errors);
}

function podAffinity(affinity: Fields | undefined, path: string, errors: Errors): void {
  items(affinity, REQUIRED).forEach((term, i) => podTerm(term, `${path}.${REQUIRED}[${i}]`, errors));
  items(affinity, PREFERRED).forEach((term, i) => {
    weight(term, `${path}.${PREFERRED}[${i}]`, errors);
    podTerm(child(term, "podAffinityTerm"), `${path}.${PREFERRED}[${i}].podAffinityTerm`, errors);
  });
}

export function checkAffinity(spec: Fields, path: string, errors: Errors): void {
  const affinity = child(spec, "affinity");
  nodeAffinity(child(affinity, "nodeAffinity"), `${path}.affinity.nodeAffinity`, errors);
  podAffinity(child(affinity, "podAffinity"), `${path}.affinity.podAffinity`, errors);
  podAffinity(child(affinity, "podAntiAffinity"), `${path}.affinity.podAntiAffinity`, errors);
}

function toleration(value: Fields, path: string, errors: Errors): void {
  const key = text(value, "key");
  const operator = text(value, "operator");
  const effect = text(value, "effect");
  if (key !== "") checkText(key, `${path}.key`, qualifiedName, errors);
  else if (operator !== "Exists") {
    errors.push(
      fieldInvalid(
        `${path}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  }
  if (has(value, "tolerationSeconds") && effect !== "NoExecute") {
    errors.push(fieldInvalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  const at = `${path}.operator`;
  if (operator === "Exists") {
    if (text(value, "value") !== "")
      errors.push(fieldInvalid(at, text(value, "value"), "value must be empty when `operator` is 'Exists'"));
  } else if (operator === "Equal" || operator === "") {
    const faults = labelValue(text(value, "value"));
    if (faults.length > 0) errors.push(fieldInvalid(at, text(value, "value"), faults.join(";")));
  } else if (operator === "Lt" || operator === "Gt")
    errors.push(fieldNotSupported(at, operator, ["Equal", "Exists", "Lt", "Gt"]));
  else oneOf(operator, at, ["Equal", "Exists"], errors);
  if (effect !== "") oneOf(effect, `${path}.effect`, EFFECTS, errors);
}

export function checkTolerations(spec: Fields, path: string, errors: Errors): void {
  items(spec, "tolerations").forEach((value, i) => toleration(value, `${path}.tolerations[${i}]`, errors));
}

export function checkTaints(spec: Fields | undefined, path: string, errors: Errors): void {
  const seen = new Set<string>();
  items(spec, "taints").forEach((taint, i) => {
    const at = `${path}[${i}]`;
    checkText(text(taint, "key"), `${at}.key`, qualifiedName, errors);
    if (text(taint, "value") !== "") checkText(text(taint, "value"), `${at}.value`, labelValue, errors);
    if (requireText(text(taint, "effect"), `${at}.effect`, errors))
      oneOf(text(taint, "effect"), `${at}.effect`, EFFECTS, errors);
    const key = `${text(taint, "key")}:${text(taint, "effect")}`;
    if (seen.has(key)) {
      const shown = {
        Key: text(taint, "key"),
        Value: text(taint, "value"),
        Effect: text(taint, "effect"),
        TimeAdded: taint["timeAdded"] ?? null,
      };
      const { message, ...fault } = fieldDuplicate(at, shown);
      errors.push({ ...fault, message: `${message}: taints must be unique by key and effect pair` });
    }
    seen.add(key);
  });
}

export function checkSpreading(spec: Fields, path: string, errors: Errors): void {
  const all = items(spec, "topologySpreadConstraints");
  const pairs = all.map((one) => `{${text(one, "topologyKey")}, ${text(one, "whenUnsatisfiable")}}`);
  all.forEach((constraint, i) => {
    const at = `${path}.topologySpreadConstraints[${i}]`;
    const when = text(constraint, "whenUnsatisfiable");
    const pair = pairs[i] ?? "";
    if ((number(constraint, "maxSkew") ?? 0) <= 0)
      errors.push(fieldInvalid(`${at}.maxSkew`, number(constraint, "maxSkew") ?? 0, "must be greater than zero"));
    requireText(text(constraint, "topologyKey"), `${at}.topologyKey`, errors, "can not be empty");
    oneOf(when, `${at}.whenUnsatisfiable`, ["DoNotSchedule", "ScheduleAnyway"], errors);
    if (pairs.includes(pair, i + 1)) errors.push(fieldDuplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    const domains = number(constraint, "minDomains");
    if (domains !== undefined && domains <= 0)
      errors.push(fieldInvalid(`${at}.minDomains`, domains, "must be greater than zero"));
    if (domains !== undefined && when !== "DoNotSchedule")
      errors.push(
        fieldInvalid(
          `${at}.minDomains`,
          domains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${when}`,
        ),
      );
    for (const policy of ["nodeAffinityPolicy", "nodeTaintsPolicy"]) {
      if (has(constraint, policy)) oneOf(constraint[policy], `${at}.${policy}`, ["Honor", "Ignore"], errors);
    }
    labelKeys(constraint, at, errors);
    labelSelector(child(constraint, "labelSelector"), `${at}.labelSelector`, errors);
  });
}
