/** Match conditions: expressions that all have to hold for a webhook to be asked. The engine comes with the first. */
import {
  AdmissionCompiler,
  bindings,
  type Compiled,
  CONDITION_BUDGET,
  evaluate,
  newBudget,
  OutOfBudget,
} from "@travelops/kube/schema/cel/admission";
import { CelAuthorizer } from "@travelops/kube/schema/cel/authorizer";
import type { ServerCore } from "../../server-options.ts";
import { admissionRequest, type ReviewSubject } from "./review.ts";
import type { Webhook } from "./webhook.ts";

const compiled = new WeakMap<Webhook, readonly Compiled[]>();

function conditionsOf(webhook: Webhook): readonly Compiled[] {
  const known = compiled.get(webhook);
  if (known !== undefined) return known;
  const compiler = new AdmissionCompiler({ params: false, authorizer: true });
  const made = webhook.matchConditions.map(({ expression }) => compiler.compile(expression.trim(), ["bool"]));
  compiled.set(webhook, made);
  return made;
}

/** Whether all hold; where that cannot be told, the text of why. One that does not hold outweighs all that fail. */
export function conditionsHold(core: ServerCore, webhook: Webhook, subject: ReviewSubject): boolean | string {
  const { attributes, namespace } = subject;
  const { group, resource, subresource, name, user } = attributes;
  const { object, oldObject, ...request } = admissionRequest(subject);
  const variables = bindings({
    object,
    oldObject,
    request,
    params: null,
    namespaceObject: null,
    authorizer: new CelAuthorizer(core.access.authorize, user, { group, resource, subresource, namespace, name }),
  });
  const budget = newBudget(CONDITION_BUDGET);
  const errors = new Set<string>();
  try {
    const outcomes = conditionsOf(webhook).map((condition) => evaluate(condition, variables, budget));
    if (outcomes.some((outcome) => outcome.kind === "value" && outcome.value === false)) return false;
    for (const outcome of outcomes) if (outcome.kind === "error") errors.add(outcome.text);
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
    errors.add(error.message);
  }
  const [first] = errors;
  if (first === undefined) return true;
  if (webhook.failurePolicy === "Ignore") return false;
  return errors.size === 1 ? first : `[${[...errors].join(", ")}]`;
}
