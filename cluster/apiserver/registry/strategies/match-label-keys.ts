/** `matchLabelKeys` and `mismatchLabelKeys` of a new pod become what its selectors say, with the pod's own values. */
import type { KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { array, read, record } from "../printers/printer.ts";

type Fields = Readonly<Record<string, unknown>>;

const isSaid = (value: unknown): value is Fields => typeof value === "object" && value !== null;

const keysOf = (term: Fields, field: string): string[] =>
  array(term[field]).filter((key): key is string => typeof key === "string");

/** A selector that is missing selects nothing, whatever its keys are. */
function withKeys(term: Fields, labels: Readonly<Record<string, string>>): Fields {
  const selector = term["labelSelector"];
  if (!isSaid(selector)) return term;
  const added = [
    ...keysOf(term, "matchLabelKeys").map((key) => ({ key, operator: "In" })),
    ...keysOf(term, "mismatchLabelKeys").map((key) => ({ key, operator: "NotIn" })),
  ].flatMap(({ key, operator }) => (labels[key] === undefined ? [] : [{ key, operator, values: [labels[key]] }]));
  const said = array(selector["matchExpressions"]);
  // Asked twice, as when admission has changed the pod: it is said once.
  const fresh = added.filter((one) => !said.some((other) => equalJson(one, other)));
  if (fresh.length === 0) return term;
  return {
    ...term,
    labelSelector: { ...selector, matchExpressions: [...said, ...fresh] },
  };
}

function affinityWithKeys(affinity: unknown, labels: Readonly<Record<string, string>>): unknown {
  if (!isSaid(affinity)) return affinity;
  const next: Record<string, unknown> = { ...affinity };
  const [required, preferred] = [
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
  ] as const;
  if (next[required] !== undefined)
    next[required] = array(next[required]).map((term) => withKeys(record(term), labels));
  if (next[preferred] !== undefined)
    next[preferred] = array(next[preferred]).map((one) => ({
      ...record(one),
      podAffinityTerm: withKeys(record(read(one, "podAffinityTerm")), labels),
    }));
  return next;
}

/** The pod, with all of them spelled out. */
export function withMatchLabelKeys(pod: KubeObject): KubeObject {
  const spec = record(pod["spec"]);
  const labels = pod.metadata.labels ?? {};
  const next: Record<string, unknown> = { ...spec };
  if (spec["topologySpreadConstraints"] !== undefined)
    next["topologySpreadConstraints"] = array(spec["topologySpreadConstraints"]).map((one) =>
      withKeys(record(one), labels),
    );
  const affinity = spec["affinity"];
  if (isSaid(affinity)) {
    const all: Record<string, unknown> = { ...affinity };
    for (const kind of ["podAffinity", "podAntiAffinity"])
      if (all[kind] !== undefined) all[kind] = affinityWithKeys(all[kind], labels);
    next["affinity"] = all;
  }
  return { ...pod, spec: next };
}
