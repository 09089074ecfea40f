/** A container without a program: it is ready, does nothing, and says so wherever one looks. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Container, Pod } from "@travelops/kube/api/types/index.ts";
import { logFile } from "./container-spec.ts";
import type { ContainerRecord } from "./pod-record.ts";

export const SIMULATED_ANNOTATION = "travelops.io/simulated-containers";

export interface SimulatedPod {
  readonly pod: Pod;
  readonly directory: string;
  event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void;
}

/** An init container, and one of a pod that is to run to its end, has "done" its work at once: else nobody would go on. */
export function simulate(record: ContainerRecord, container: Container, pod: SimulatedPod, now: number): void {
  const said = `the image "${container.image}" is not in the catalogue: the container is simulated and does nothing`;
  pod.event("Warning", "Simulated", `Container ${container.name}: ${said}`, container.name);
  const file = logFile(pod.directory, container.name, record.restartCount);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${new Date(now).toISOString().slice(0, 19)}.000000000Z stdout F travelops: ${said}\n`);
  const ends =
    record.role === "init" || (record.role === "main" && (pod.pod.spec.restartPolicy ?? "Always") !== "Always");
  if (ends) {
    record.state = {
      kind: "terminated",
      exitCode: 0,
      reason: "Completed",
      message: said,
      startedAt: now,
      finishedAt: now,
      containerID: record.containerID,
    };
    return;
  }
  record.state = { kind: "running", startedAt: now, handle: undefined };
  record.started = true;
  record.ready = true;
}
