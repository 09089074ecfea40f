/** Starts a container's probes and writes what they say into its record. */
import type { Container, Probe } from "@travelops/kube/api/types/index.ts";
import type { SandboxContainer, ProbeSpec } from "../sandbox/sandbox.ts";
import type { ContainerRecord } from "./pod-record.ts";
import { probeSpec } from "./probe-spec.ts";

export interface ProbingInput {
  readonly record: ContainerRecord;
  readonly container: Container;
  readonly handle: SandboxContainer;
  readonly podIP: string;
  readonly pod: {
    wake(): void;
    event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void;
  };
  /** The container failed: `message` ends "Container NAME …". */
  readonly restart: (message: string, graceSeconds: number | undefined) => void;
}

const TITLE = { startup: "Startup", readiness: "Readiness", liveness: "Liveness" } as const;

export function startProbes(input: ProbingInput): void {
  const { record, container } = input;
  if (record.role === "init") {
    record.ready = false;
    return;
  }
  if (container.startupProbe !== undefined) {
    start(input, "startup", container.startupProbe, () => begin(input));
    return;
  }
  begin(input);
}

/** The container counts as started. */
function begin(input: ProbingInput): void {
  const { record, container, pod } = input;
  record.started = true;
  record.ready = container.readinessProbe === undefined;
  if (container.readinessProbe !== undefined) start(input, "readiness", container.readinessProbe, () => undefined);
  if (container.livenessProbe !== undefined) start(input, "liveness", container.livenessProbe, () => undefined);
  pod.wake();
}

function start(input: ProbingInput, kind: ProbeSpec["kind"], probe: Probe, passed: () => void): void {
  const { record, container, handle, podIP, pod } = input;
  const spec = probeSpec(kind, probe, container, podIP, handle.startedAt);
  if (spec === undefined) {
    pod.event(
      "Warning",
      "Unhealthy",
      `${TITLE[kind]} probe errored: the probe names a port that the container does not have`,
      container.name,
    );
    return;
  }
  handle.startProbe(spec, ({ ok, message, changed }) => {
    if (record.state.kind !== "running" || record.state.handle !== handle) return;
    if (!ok) pod.event("Warning", "Unhealthy", `${TITLE[kind]} probe failed: ${message}`, container.name);
    if (!changed) return;
    if (kind === "readiness") {
      record.ready = ok;
      pod.wake();
    } else if (ok) passed();
    else input.restart(`failed ${kind} probe, will be restarted`, probe.terminationGracePeriodSeconds);
  });
}
