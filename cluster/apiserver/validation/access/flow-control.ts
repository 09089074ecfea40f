/** FlowSchemas and PriorityLevelConfigurations. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { checkText, dnsLabel, dnsSubdomain, requireText, type Errors } from "../checks.ts";
import { child, has, items, list, number, strings, text, type Fields } from "../fields.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
const HIGHEST_PRECEDENCE = 10_000;
/** What tells the queues of a hand apart. */
const MAX_HASH_BITS = 60;

export function checkFlowSchema(schema: KubeObject, errors: Errors): void {
  const spec = child(schema, "spec");
  const name = schema.metadata.name ?? "";
  const precedence = number(spec, "matchingPrecedence") ?? 1000;
  if (precedence <= 0) errors.push(fieldInvalid("spec.matchingPrecedence", precedence, "must be a positive value"));
  if (precedence > HIGHEST_PRECEDENCE)
    errors.push(fieldInvalid("spec.matchingPrecedence", precedence, `must not be greater than ${HIGHEST_PRECEDENCE}`));
  if (precedence === 1 && name !== "exempt")
    errors.push(
      fieldInvalid(
        "spec.matchingPrecedence",
        precedence,
        "only the schema named 'exempt' may have matchingPrecedence 1",
      ),
    );
  const method = child(spec, "distinguisherMethod");
  const type = text(method, "type");
  if (method !== undefined && type !== "ByUser" && type !== "ByNamespace")
    errors.push(fieldNotSupported("spec.distinguisherMethod.type", { Type: type }, ["ByNamespace", "ByUser"]));
  const level = text(child(spec, "priorityLevelConfiguration"), "name");
  const levelPath = "spec.priorityLevelConfiguration.name";
  if (level === "") errors.push(fieldRequired(levelPath, "must reference a priority level"));
  else checkText(level, levelPath, dnsSubdomain, errors);
  items(spec, "rules").forEach((rule, n) => checkRule(rule, `spec.rules[${n}]`, errors));
}

function checkRule(rule: Fields, path: string, errors: Errors): void {
  const subjects = items(rule, "subjects");
  if (subjects.length === 0) errors.push(fieldRequired(`${path}.subjects`, "subjects must contain at least one value"));
  subjects.forEach((subject, n) => checkSubject(subject, `${path}.subjects[${n}]`, errors));
  const [resources, urls] = [items(rule, "resourceRules"), items(rule, "nonResourceRules")];
  if (resources.length + urls.length === 0)
    errors.push(fieldRequired(path, "at least one of resourceRules and nonResourceRules has to be non-empty"));
  resources.forEach((each, n) => checkResourceRule(each, `${path}.resourceRules[${n}]`, errors));
  urls.forEach((each, n) => checkPathRule(each, `${path}.nonResourceRules[${n}]`, errors));
}

const SUBJECTS: Readonly<Record<string, string>> = { Group: "group", ServiceAccount: "serviceAccount", User: "user" };

function checkSubject(subject: Fields, path: string, errors: Errors): void {
  const kind = text(subject, "kind");
  const field = Object.hasOwn(SUBJECTS, kind) ? SUBJECTS[kind] : undefined;
  if (field === undefined) {
    errors.push(fieldNotSupported(`${path}.kind`, kind, Object.keys(SUBJECTS)));
    return;
  }
  const named = child(subject, field);
  if (named === undefined)
    errors.push(fieldRequired(`${path}.${field}`, `${field} is required when subject kind is '${kind}'`));
  else if (field === "serviceAccount") checkAccount(named, `${path}.${field}`, errors);
  else requireText(text(named, "name"), `${path}.${field}.name`, errors);
  for (const other of Object.values(SUBJECTS)) {
    if (other !== field && child(subject, other) !== undefined)
      errors.push(
        fieldForbidden(`${path}.${other}`, `${other} is forbidden when subject kind is not '${kindOf(other)}'`),
      );
  }
}

function checkAccount(account: Fields, path: string, errors: Errors): void {
  const name = text(account, "name");
  if (requireText(name, `${path}.name`, errors) && name !== "*") checkText(name, `${path}.name`, dnsSubdomain, errors);
  const namespace = text(account, "namespace");
  if (requireText(namespace, `${path}.namespace`, errors, "must specify namespace for service account"))
    checkText(namespace, `${path}.namespace`, dnsLabel, errors);
}

const kindOf = (field: string): string => Object.keys(SUBJECTS).find((kind) => SUBJECTS[kind] === field) ?? field;

function checkVerbs(verbs: readonly string[], path: string, errors: Errors): void {
  if (verbs.length === 0) errors.push(fieldRequired(`${path}.verbs`, "verbs must contain at least one value"));
  else if (verbs.includes("*") && verbs.length > 1)
    errors.push(fieldInvalid(`${path}.verbs`, verbs, "if '*' is present, must not specify other verbs"));
  else if (!verbs.includes("*") && verbs.some((verb) => !VERBS.includes(verb)))
    errors.push(fieldNotSupported(`${path}.verbs`, verbs, VERBS));
}

function checkResourceRule(rule: Fields, path: string, errors: Errors): void {
  checkVerbs(strings(rule, "verbs"), path, errors);
  for (const [key, one, many] of [
    ["apiGroups", "api group", "api groups"],
    ["resources", "resource", "resources"],
  ] as const) {
    const values = list(rule, key);
    if (values.length === 0)
      errors.push(fieldRequired(`${path}.${key}`, `resource rules must supply at least one ${one}`));
    else if (values.includes("*") && values.length > 1)
      errors.push(fieldInvalid(`${path}.${key}`, values, `if '*' is present, must not specify other ${many}`));
  }
  checkNamespaces(strings(rule, "namespaces"), rule["clusterScope"] === true, `${path}.namespaces`, errors);
}

function checkNamespaces(namespaces: readonly string[], clusterScope: boolean, path: string, errors: Errors): void {
  if (namespaces.length === 0 && !clusterScope) {
    const why = "resource rules that are not cluster scoped must supply at least one namespace";
    errors.push(fieldRequired(path, why));
  } else if (namespaces.includes("*")) {
    if (namespaces.length > 1)
      errors.push(fieldInvalid(path, namespaces, "if '*' is present, must not specify other namespaces"));
  } else
    namespaces.forEach((namespace, n) => {
      for (const fault of dnsLabel(namespace))
        errors.push(
          fieldInvalid(
            `${path}[${n}]`,
            namespace,
            `each member of this list must be '*' or a DNS-1123 label; ${fault}`,
          ),
        );
    });
}

function checkPathRule(rule: Fields, path: string, errors: Errors): void {
  checkVerbs(strings(rule, "verbs"), path, errors);
  const urls = strings(rule, "nonResourceURLs");
  if (urls.length === 0)
    errors.push(fieldRequired(`${path}.nonResourceURLs`, "nonResourceURLs must contain at least one value"));
  if (urls.includes("*")) {
    if (urls.length > 1)
      errors.push(
        fieldInvalid(`${path}.nonResourceURLs`, urls, "if '*' is present, must not specify other non-resource URLs"),
      );
    return;
  }
  urls.forEach((url, n) => {
    const fault = urlPathFault(url);
    if (fault !== undefined) errors.push(fieldInvalid(`${path}.nonResourceURLs[${n}]`, url, fault));
  });
}

function urlPathFault(path: string): string | undefined {
  if (path === "") return "must not be empty";
  if (path === "/") return undefined;
  if (!path.startsWith("/")) return "must start with slash";
  if (path.includes(" ")) return "must not contain white-space";
  if (path.includes("//")) return "must not contain double slash";
  const stars = path.split("*").length - 1;
  return stars > 1 || (stars === 1 && !path.endsWith("/*")) ? "wildcard can only do suffix matching" : undefined;
}

export function checkPriorityLevel(level: KubeObject, errors: Errors): void {
  const spec = child(level, "spec");
  const type = text(spec, "type");
  if ((level.metadata.name === "exempt") !== (type === "Exempt"))
    errors.push(fieldInvalid("spec.type", type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  if (type === "Exempt") {
    if (has(spec, "limited")) errors.push(fieldForbidden("spec.limited", "must be nil if the type is not Limited"));
    checkShares(child(spec, "exempt"), "spec.exempt", errors);
    checkPercent(child(spec, "exempt"), "spec.exempt", errors);
  } else if (type === "Limited") {
    if (has(spec, "exempt")) errors.push(fieldForbidden("spec.exempt", "must be nil if the type is Limited"));
    const limited = child(spec, "limited");
    if (limited === undefined) errors.push(fieldRequired("spec.limited", "must not be empty when type is Limited"));
    else checkLimited(limited, errors);
  } else errors.push(fieldNotSupported("spec.type", type, ["Exempt", "Limited"]));
}

function checkLimited(limited: Fields, errors: Errors): void {
  checkShares(limited, "spec.limited", errors);
  const path = "spec.limited.limitResponse";
  const response = child(limited, "limitResponse");
  const queuing = child(response, "queuing");
  const type = text(response, "type");
  if (type === "Reject") {
    if (queuing !== undefined)
      errors.push(fieldForbidden(`${path}.queuing`, "must be nil if limited.limitResponse.type is not Limited"));
  } else if (type !== "Queue") errors.push(fieldNotSupported(`${path}.type`, type, ["Queue", "Reject"]));
  else if (queuing === undefined)
    errors.push(fieldRequired(`${path}.queuing`, "must not be empty if limited.limitResponse.type is Limited"));
  else checkQueuing(queuing, `${path}.queuing`, errors);
  checkPercent(limited, "spec.limited", errors);
  const borrowing = number(limited, "borrowingLimitPercent");
  if (borrowing !== undefined && borrowing < 0)
    errors.push(
      fieldInvalid("spec.limited.borrowingLimitPercent", borrowing, "if specified, must be a non-negative integer"),
    );
}

function checkQueuing(queuing: Fields, path: string, errors: Errors): void {
  const [queues, hand, length] = ["queues", "handSize", "queueLengthLimit"].map((key) => number(queuing, key) ?? 0);
  if (length !== undefined && length <= 0)
    errors.push(fieldInvalid(`${path}.queueLengthLimit`, length, "must be positive"));
  if (queues !== undefined && queues <= 0) errors.push(fieldInvalid(`${path}.queues`, queues, "must be positive"));
  else if (queues !== undefined && queues > 10_000_000)
    errors.push(fieldInvalid(`${path}.queues`, queues, "must not be greater than 10000000"));
  if (hand !== undefined && hand <= 0) errors.push(fieldInvalid(`${path}.handSize`, hand, "must be positive"));
  else if (hand !== undefined && queues !== undefined && hand > queues)
    errors.push(fieldInvalid(`${path}.handSize`, hand, `should not be greater than queues (${queues})`));
  else if (hand !== undefined && queues !== undefined && Math.ceil(Math.log2(queues) * hand) > MAX_HASH_BITS) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than ${MAX_HASH_BITS}`;
    errors.push(fieldInvalid(`${path}.handSize`, hand, why));
  }
}

function checkShares(settings: Fields | undefined, path: string, errors: Errors): void {
  const shares = number(settings, "nominalConcurrencyShares");
  if (shares !== undefined && shares < 0)
    errors.push(fieldInvalid(`${path}.nominalConcurrencyShares`, shares, "must be a non-negative integer"));
}

function checkPercent(settings: Fields | undefined, path: string, errors: Errors): void {
  const percent = number(settings, "lendablePercent");
  if (percent !== undefined && (percent < 0 || percent > 100))
    errors.push(fieldInvalid(`${path}.lendablePercent`, percent, "must be between 0 and 100, inclusive"));
}
