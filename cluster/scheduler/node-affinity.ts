/** Node selectors and node affinity. Pure. */
import type { Node, NodeSelector, Pod, SelectorTerm } from "@travelops/kube";
import { matchesLabels, type LabelOperator } from "@travelops/kube";

const OPERATORS: ReadonlySet<string> = new Set(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
const isOperator = (text: string): text is LabelOperator => OPERATORS.has(text);

type Expressions = SelectorTerm["matchExpressions"];

function expressionsMatch(expressions: Expressions, values: Readonly<Record<string, string>>): boolean {
  return (expressions ?? []).every(
    ({ key, operator, values: wanted }) =>
      isOperator(operator) && matchesLabels([{ key, operator, values: wanted ?? [] }], values),
  );
}

/** A term without any requirement matches nothing. */
function termMatches(term: SelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressionsMatch(expressions, node.metadata.labels ?? {}) &&
    expressionsMatch(fields, { "metadata.name": node.metadata.name ?? "" })
  );
}

/** One of the terms must hold. */
export const nodeSelectorMatches = (selector: NodeSelector, node: Node): boolean =>
  selector.nodeSelectorTerms.some((term) => termMatches(term, node));

/** nodeSelector and required node affinity together. */
export function podWantsNode(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || nodeSelectorMatches(required, node);
}

/** The nodes that every term of the required affinity names, as those of DaemonSets' pods do. */
export function namedNodes(pod: Pod): ReadonlySet<string> | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return undefined;
  const found = new Set<string>();
  for (const term of terms) {
    const lists = (term.matchFields ?? [])
      .filter(({ key, operator }) => key === "metadata.name" && operator === "In")
      .map(({ values }) => values ?? []);
    const [first, ...others] = lists;
    if (first === undefined) return undefined;
    for (const name of first) if (others.every((list) => list.includes(name))) found.add(name);
  }
  return found;
}

/** The weights of the preferred terms that hold. */
export function nodePreference(pod: Pod, node: Node): number {
  const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred.reduce((sum, { weight, preference }) => (termMatches(preference, node) ? sum + weight : sum), 0);
}
