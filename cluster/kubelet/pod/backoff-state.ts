/** A container that waits out a back-off says so: CrashLoopBackOff or ImagePullBackOff, with upstream's events. */
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { findContainer, podLabel } from "./kubelet-context.ts";
import type { ContainerRecord } from "./pod-record.ts";

export type SayEvent = (type: "Normal" | "Warning", reason: string, message: string, container: string) => void;

/** True when the state will change once more without anything happening: the pod has to be looked at again. */
export function showBackoff(pod: Pod, record: ContainerRecord, say: SayEvent): boolean {
  if (record.state.kind === "waiting" && record.state.reason === "ErrImagePull" && record.pull !== undefined) {
    // ErrImagePull is published once before it becomes ImagePullBackOff.
    if (!record.said.has("pull-shown")) {
      record.said.add("pull-shown");
      return true;
    }
    const image = findContainer(pod, record.name)?.image;
    record.state = {
      kind: "waiting",
      reason: "ImagePullBackOff",
      message: `Back-off pulling image "${image}": ErrImagePull: ${record.pull.failure}`,
    };
    say("Normal", "BackOff", `Back-off pulling image "${image}"`, record.name);
    say("Warning", "Failed", "Error: ImagePullBackOff", record.name);
    return false;
  }
  if (record.state.kind !== "terminated") return false;
  const { kind: _, ...ended } = record.state;
  record.last = ended;
  const label = podLabel(pod);
  record.state = {
    kind: "waiting",
    reason: "CrashLoopBackOff",
    message: `back-off ${formatDelay(record.backoff.delayMs)} restarting failed container=${record.name} pod=${label}`,
  };
  say("Warning", "BackOff", `Back-off restarting failed container ${record.name} in pod ${label}`, record.name);
  return false;
}

/** As Go prints a duration: 10s, 2m40s, 5m0s. */
function formatDelay(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
