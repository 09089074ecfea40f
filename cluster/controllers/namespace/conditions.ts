/** What a namespace that is being deleted says about what is left in it, in upstream's words. Pure. */
import type { Condition } from "@travelops/kube";
import { setCondition } from "@travelops/kube";

export interface Remaining {
  /** `pods.` or `widgets.example.com` → how many. */
  readonly resources: ReadonlyMap<string, number>;
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryError?: string;
  readonly deletionErrors: readonly string[];
}

type Said = Omit<Condition, "lastTransitionTime">;

const counted = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
  [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text(name, count))
    .join(", ");

function said(remaining: Remaining): Said[] {
  const { resources, finalizers, discoveryError, deletionErrors } = remaining;
  const ok = (type: string, reason: string, message: string): Said => ({
    type,
    status: "False",
    reason,
    message,
  });
  const bad = (type: string, reason: string, message: string): Said => ({
    type,
    status: "True",
    reason,
    message,
  });
  return [
    discoveryError === undefined
      ? ok("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered")
      : bad(
          "NamespaceDeletionDiscoveryFailure",
          "DiscoveryFailed",
          `Discovery failed for some groups: ${discoveryError}`,
        ),
    ok(
      "NamespaceDeletionGroupVersionParsingFailure",
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
    ),
    deletionErrors.length === 0
      ? ok(
          "NamespaceDeletionContentFailure",
          "ContentDeleted",
          "All content successfully deleted, may be waiting on finalization",
        )
      : bad(
          "NamespaceDeletionContentFailure",
          "ContentDeletionFailed",
          `Failed to delete all resource types, ${deletionErrors.length} remaining: ${deletionErrors.toSorted().join(", ")}`,
        ),
    resources.size === 0
      ? ok("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed")
      : bad(
          "NamespaceContentRemaining",
          "SomeResourcesRemain",
          `Some resources are remaining: ${counted(resources, (name, count) => `${name} has ${count} resource instances`)}`,
        ),
    finalizers.size === 0
      ? ok("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
      : bad(
          "NamespaceFinalizersRemaining",
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${counted(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
        ),
  ];
}

export function namespaceConditions(
  known: readonly Condition[] | undefined,
  remaining: Remaining,
  now: number,
): Condition[] {
  let list: Condition[] = [...(known ?? [])];
  for (const condition of said(remaining)) list = setCondition(list, condition, now);
  return list;
}
