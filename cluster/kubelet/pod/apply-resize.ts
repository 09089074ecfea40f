/** Carries out a planned resize. */
import { steadyNow } from "@travelops/kube/api/clock.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import type { ContainerRunner } from "./container-runner.ts";
import { podLabel, type KubeletContext } from "./kubelet-context.ts";
import { allRecords, type PodRecord } from "./pod-record.ts";
import { planResize, resizeMessage, type ResizedContainer } from "./resize.ts";
import { resourceLimits } from "./resource-limits.ts";

type Say = (type: "Normal" | "Warning", reason: string, message: string) => void;

export function applyResize(
  context: KubeletContext,
  pod: Pod,
  record: PodRecord,
  runner: ContainerRunner,
  say: Say,
): void {
  const uid = pod.metadata.uid ?? "";
  const step = planResize(pod, allRecords(record), context.room(uid));
  if (step.kind === "pending") {
    const { reason, message } = step;
    const { generation } = pod.metadata;
    const known = record.pendingResize;
    if (known?.reason !== reason || known.generation !== generation)
      say("Warning", `Resize${reason}`, resizeMessage(pod, reason, message));
    record.pendingResize = { reason, message, generation, since: known?.since ?? steadyNow(context.clock) };
    context.pendingResizes.add(uid);
    return;
  }
  record.pendingResize = undefined;
  context.pendingResizes.delete(uid);
  if (step.kind === "none") return;
  say("Normal", "ResizeStarted", resizeMessage(pod, "started"));
  for (const change of step.changed) applyOne(context, pod, runner, change);
  say("Normal", "ResizeCompleted", resizeMessage(pod, "completed"));
  context.roomChanged();
}

function applyOne(context: KubeletContext, pod: Pod, runner: ContainerRunner, change: ResizedContainer): void {
  const { record, resources, restart } = change;
  record.resources = resources;
  if (restart) {
    void runner.restart(record, "resize requires restart");
    return;
  }
  const handle = record.state.kind === "running" ? record.state.handle : undefined;
  void handle
    ?.changeLimits(resourceLimits(resources))
    .catch((error: unknown) =>
      context.log.warn("new limits were not put in force", { pod: podLabel(pod), container: record.name, err: error }),
    );
}
