/** Whether a container that has ended is started again; as upstream's ContainerShouldRestart. */
import type { Container, Pod } from "@travelops/kube/api/types/index.ts";

export function shouldRestart(pod: Pod, container: Container | undefined, exitCode: number): boolean {
  const own = container?.restartPolicy;
  if (own !== undefined && matchesRule(container?.restartPolicyRules ?? [], exitCode)) return true;
  switch (own ?? pod.spec.restartPolicy) {
    case "Never":
      return false;
    case "OnFailure":
      return exitCode !== 0;
    default:
      return true;
  }
}

function matchesRule(rules: NonNullable<Container["restartPolicyRules"]>, exitCode: number): boolean {
  const first = rules.find(({ exitCodes }) => {
    if (exitCodes === undefined) return false;
    return (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === "In");
  });
  return first?.action === "Restart";
}
