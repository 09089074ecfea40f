/** A pod on its own: what its phase means depends on whether it is meant to end. */
import type { Condition, KubeObject } from "@travelops/kube";
import type { Health } from "./health.ts";

interface ContainerStatus {
  name?: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode?: number; reason?: string; message?: string };
  };
}

interface PodStatus {
  phase?: string;
  message?: string;
  reason?: string;
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
}

const FAILING = /^Err|Error$|BackOff$/;

export function podHealth(object: KubeObject): Health {
  const status = (object["status"] ?? {}) as PodStatus;
  const restartPolicy = (object["spec"] as { restartPolicy?: string } | undefined)?.restartPolicy ?? "Always";
  const waiting = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find((container) =>
    FAILING.test(container.state?.waiting?.reason ?? ""),
  );
  if (restartPolicy === "Always" && waiting !== undefined)
    return {
      status: "Degraded",
      message: waiting.state?.waiting?.message ?? waiting.state?.waiting?.reason ?? "",
    };
  switch (status.phase) {
    case "Succeeded":
      return { status: "Healthy", ...withMessage(status.message) };
    case "Failed":
      return { status: "Degraded", message: status.message ?? failure(status) };
    case "Running":
      return restartPolicy === "Always"
        ? runningHealth(status)
        : { status: "Progressing", ...withMessage(status.message) };
    case "Pending":
      return { status: "Progressing", ...withMessage(status.message) };
    default:
      return { status: "Unknown", message: status.message ?? "" };
  }
}

const withMessage = (message: string | undefined): { message?: string } => (message === undefined ? {} : { message });

function runningHealth(status: PodStatus): Health {
  const ready =
    status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
  return { status: ready ? "Healthy" : "Progressing", ...withMessage(status.message) };
}

function failure(status: PodStatus): string {
  const ended = status.containerStatuses?.find((container) => (container.state?.terminated?.exitCode ?? 0) !== 0);
  const terminated = ended?.state?.terminated;
  return terminated === undefined
    ? (status.reason ?? "")
    : `container ${ended?.name ?? ""} failed with exit code ${terminated.exitCode}`;
}
