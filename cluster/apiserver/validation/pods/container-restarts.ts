/** When one container of a pod is restarted, whatever the pod's own policy says. */
import { fieldForbidden, fieldRequired, fieldTooLong } from "@travelops/kube";
import { type Errors, oneOf } from "../checks.ts";
import { child, type Fields, has, items, list, text } from "../fields.ts";

const POLICIES = ["Always", "Never", "OnFailure"];
const MAX_RULES = 20;
const MAX_CODES = 255;

function checkRule(rule: Fields, path: string, errors: Errors): void {
  oneOf(text(rule, "action"), `${path}.action`, ["Restart"], errors);
  const codes = child(rule, "exitCodes");
  const at = `${path}.exitCodes`;
  if (codes === undefined) {
    errors.push(fieldRequired(at, "must be specified"));
    return;
  }
  oneOf(text(codes, "operator"), `${at}.operator`, ["In", "NotIn"], errors);
  if (list(codes, "values").length > MAX_CODES) errors.push(fieldTooLong(`${at}.values`, MAX_CODES));
}

/** `restartPolicy` and its rules; `init`: of a container that runs before the others, or beside them. */
export function checkRestarts(container: Fields, init: boolean, path: string, errors: Errors): void {
  const rules = items(container, "restartPolicyRules");
  const policy = container["restartPolicy"] ?? undefined;
  const at = `${path}.restartPolicyRules`;
  if (policy === undefined) {
    if (rules.length > 0)
      errors.push(fieldRequired(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
    if (init) return;
  } else if (init && policy === "Always") {
    if (rules.length > 0)
      errors.push(
        fieldForbidden(at, "restartPolicyRules are not allowed for init containers with restart policy Always"),
      );
    return;
  }
  if (has(container, "restartPolicy")) oneOf(policy, `${path}.restartPolicy`, POLICIES, errors);
  if (rules.length > MAX_RULES) errors.push(fieldTooLong(at, MAX_RULES));
  rules.forEach((rule, i) => checkRule(rule, `${at}[${i}]`, errors));
}
