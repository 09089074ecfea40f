/** What a Job's `podFailurePolicy` says of a pod that has failed. Pure. */
import type { Job, Pod, PodFailurePolicyRule } from "@travelops/kube";

export type FailureAction =
  | { readonly action: "Count" | "Ignore" | "FailIndex" }
  | { readonly action: "FailJob"; readonly message: string };

const COUNT: FailureAction = { action: "Count" };

/** The first rule that matches decides; a rule with an action that is not known here is passed over. */
export function failureAction(job: Job, pod: Pod): FailureAction {
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const cause = causeOf(rule, pod);
    if (cause === undefined) continue;
    switch (rule.action) {
      case "Count":
      case "Ignore":
        return { action: rule.action };
      case "FailIndex":
        // Without a limit per index there is no index that could fail.
        if (job.spec.backoffLimitPerIndex !== undefined) return { action: "FailIndex" };
        break;
      case "FailJob":
        return { action: "FailJob", message: `${cause} matching FailJob rule at index ${index}` };
    }
  }
  return COUNT;
}

/** Why the rule matches, in the words of the Job's condition. */
function causeOf({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (onExitCodes !== undefined) {
    const { containerName, operator, values } = onExitCodes;
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    for (const status of [...containerStatuses, ...initContainerStatuses]) {
      const code = status.state?.terminated?.exitCode ?? 0;
      const isMeant = (containerName ?? status.name) === status.name;
      if (code === 0 || !isMeant || values.includes(code) !== (operator === "In")) continue;
      return `Container ${status.name} for pod ${name} failed with exit code ${code}`;
    }
    return undefined;
  }
  const found = pod.status?.conditions?.find((condition) =>
    onPodConditions?.some((one) => one.type === condition.type && (one.status ?? "True") === condition.status),
  );
  return found === undefined ? undefined : `Pod ${name} has condition ${found.type}`;
}
