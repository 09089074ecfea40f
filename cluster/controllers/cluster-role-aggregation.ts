/** ClusterRoles that gather others by label show the rules they come to. */
import type { ClusterRole, PolicyRule } from "@travelops/kube";
import { canonicalJson, CLUSTER_ROLES, jsonEqual, runController, selects, sourceOf } from "@travelops/kube";
import type { ControllerContext } from "./context.ts";
import { patched } from "./shared/write.ts";

/** The rules of all roles that `role` selects, each once, in the order of the roles' names. Pure. */
function gatheredRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const found = new Map<string, PolicyRule>();
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  for (const other of all.toSorted((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1))) {
    if (other.metadata.name === role.metadata.name) continue;
    if (!selectors.some((selector) => selects(selector, other.metadata.labels))) continue;
    for (const rule of other.rules ?? []) found.set(canonicalJson(rule), rule);
  }
  return [...found.values()];
}

/** Runs until the signal aborts. */
export async function clusterRoleAggregationController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const roles = informers.of(CLUSTER_ROLES);
  const gathering = (): string[] =>
    roles
      .list()
      .filter((role) => role.aggregationRule !== undefined)
      .map((role) => role.metadata.name ?? "");
  await runController({
    name: "clusterrole-aggregation",
    signal,
    clock,
    log,
    sources: [sourceOf(roles, gathering)],
    async reconcile(name) {
      const role = roles.get("", name);
      if (role?.aggregationRule === undefined) return;
      const rules = gatheredRules(role, roles.list());
      if (!jsonEqual(rules, role.rules ?? [])) await patched(client, roles, role, { rules });
    },
  });
}
