/** What in a policy's expressions cannot be for the kinds it matches, as kube-controller-manager warns of it. Pure. */
import { AdmissionCompiler } from "@travelops/kube/schema/cel/admission";
import { NodeTypes } from "@travelops/kube/schema/cel/node-types";
import type { StructNode } from "@travelops/kube/schema/node";

export interface ExpressionWarning {
  readonly fieldRef: string;
  readonly warning: string;
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
}

export interface CheckedPolicy {
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string };
  readonly matchConstraints?: { readonly resourceRules?: readonly Rule[] };
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations?: readonly { readonly expression: string; readonly messageExpression?: string }[];
}

export interface TypedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: StructNode;
}

/** Where kinds are looked up: by the resource that a rule names, and by their own names. */
export interface Kinds {
  ofResource(group: string, version: string, resource: string): TypedKind | undefined;
  ofKind(apiVersion: string, kind: string): TypedKind | undefined;
}

const MAX_KINDS = 10;

const nameOf = ({ group, version, kind }: TypedKind): string => `${group}/${version}, Kind=${kind}`;

/** The kinds of all rules that name them; a rule with a star says nothing of types. */
export function kindsOf(policy: CheckedPolicy, kinds: Kinds): readonly TypedKind[] {
  const found = new Map<string, TypedKind>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of policy.matchConstraints?.resourceRules ?? []) {
    if ([...apiGroups, ...apiVersions].some((name) => name.includes("*"))) continue;
    for (const group of apiGroups)
      for (const version of apiVersions)
        for (const resource of resources.filter((name) => !/[*/]/.test(name))) {
          const kind = kinds.ofResource(group, version, resource);
          if (kind !== undefined && found.size < MAX_KINDS) found.set(nameOf(kind), kind);
        }
  }
  return [...found.keys()].toSorted().flatMap((name) => found.get(name) ?? []);
}

export function typeWarnings(policy: CheckedPolicy, kinds: Kinds): ExpressionWarning[] {
  const matched = kindsOf(policy, kinds);
  const params =
    policy.paramKind === undefined ? undefined : kinds.ofKind(policy.paramKind.apiVersion, policy.paramKind.kind);
  const checks = matched.map((kind) => ({ kind, check: checker(policy, kind, params) }));
  const warnings: ExpressionWarning[] = [];
  const add = (fieldRef: string, expression: string): void => {
    const texts = checks.flatMap(({ kind, check }) => {
      const fault = check(expression);
      return fault === undefined ? [] : [`${nameOf(kind)}: ${fault}\n`];
    });
    if (texts.length > 0) warnings.push({ fieldRef, warning: texts.join("\n") });
  };
  (policy.validations ?? []).forEach(({ expression, messageExpression = "" }, i) => {
    add(`spec.validations[${i}].expression`, expression);
    if (messageExpression !== "") add(`spec.validations[${i}].messageExpression`, messageExpression);
  });
  return warnings;
}

/** Answers what is wrong with an expression for one kind. */
function checker(
  policy: CheckedPolicy,
  kind: TypedKind,
  params: TypedKind | undefined,
): (expression: string) => string | undefined {
  const types: Record<string, string> = {};
  const compiler = (): AdmissionCompiler => {
    const typed = (environment: ConstructorParameters<typeof NodeTypes>[0]): { object: string; paramsType: string } => {
      const made = new NodeTypes(environment);
      return { object: made.of(kind.schema), paramsType: params === undefined ? "dyn" : made.of(params.schema) };
    };
    return new AdmissionCompiler({ params: params !== undefined, authorizer: true, variables: types }, typed);
  };
  for (const { name, expression } of policy.variables ?? []) {
    const compiled = compiler().compile(expression);
    types[name] = compiled.kind === "program" ? compiled.type : "dyn";
  }
  const last = compiler();
  return (expression) => {
    const compiled = last.compile(expression);
    return compiled.kind === "fault" ? compiled.fault.replace(/^compilation failed: /, "") : undefined;
  };
}
