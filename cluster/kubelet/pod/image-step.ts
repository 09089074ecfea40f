/** "Pulling": asks the catalogue, with upstream's events, waiting reasons and back-off. */
import type { Container } from "@travelops/kube/api/types/index.ts";
import type { ImageCatalogue, ResolvedImage } from "../images/catalogue.ts";
import { FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS } from "./pod-plan.ts";
import type { ContainerRecord } from "./pod-record.ts";

type Usable = Extract<ResolvedImage, { kind: "found" | "simulated" }>;

export interface ImageEvents {
  event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void;
}

/** undefined: there is none; the record says so. */
export function resolveImage(
  catalogue: ImageCatalogue,
  container: Container,
  record: ContainerRecord,
  events: ImageEvents,
  now: number,
): Usable | undefined {
  const name = container.image ?? "";
  const image = catalogue.resolve(name);
  const say = (type: "Normal" | "Warning", reason: string, message: string): void =>
    events.event(type, reason, message, container.name);
  switch (image.kind) {
    case "found":
      record.pull = undefined;
      if (container.imagePullPolicy === "Always") {
        say("Normal", "Pulling", `Pulling image "${name}"`);
        say(
          "Normal",
          "Pulled",
          `Successfully pulled image "${name}" in 0s (0s including waiting). Image size: 0 bytes.`,
        );
      } else
        say("Normal", "Pulled", `Container image "${name}" already present on machine and can be accessed by the pod`);
      return image;
    case "simulated":
      record.pull = undefined;
      return image;
    case "invalid":
      say("Warning", "InspectFailed", image.message);
      say("Warning", "Failed", "Error: InvalidImageName");
      wait(record, "InvalidImageName", image.message, now);
      return undefined;
    case "unknown":
      if (container.imagePullPolicy === "Never") {
        say("Warning", "ErrImageNeverPull", `Container image "${name}" is not present with pull policy of Never`);
        wait(record, "ErrImageNeverPull", `Container image "${name}" is not present with pull policy of Never`, now);
        return undefined;
      }
      say("Normal", "Pulling", `Pulling image "${name}"`);
      say("Warning", "Failed", `Failed to pull image "${name}": ${image.message}`);
      say("Warning", "Failed", "Error: ErrImagePull");
      wait(record, "ErrImagePull", image.message, now);
      return undefined;
  }
}

function wait(record: ContainerRecord, reason: string, message: string, now: number): void {
  const before = record.pull?.delayMs ?? 0;
  const delayMs = before === 0 ? FIRST_BACKOFF_MS : Math.min(LONGEST_BACKOFF_MS, before * 2);
  record.pull = { until: now + delayMs, delayMs, failure: message };
  record.state = { kind: "waiting", reason, message };
  record.said.delete("pull");
}
