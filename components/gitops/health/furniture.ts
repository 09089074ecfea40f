/** Kinds whose health is one look at one field. */
import type { Condition, KubeObject } from "@travelops/kube";
import type { Health } from "./health.ts";

interface LoadBalanced {
  loadBalancer?: { ingress?: unknown[] };
}

const hasIngress = (object: KubeObject): boolean =>
  (((object["status"] ?? {}) as LoadBalanced).loadBalancer?.ingress?.length ?? 0) > 0;

export function serviceHealth(object: KubeObject): Health {
  const type = (object["spec"] as { type?: string } | undefined)?.type;
  return { status: type !== "LoadBalancer" || hasIngress(object) ? "Healthy" : "Progressing" };
}

export const ingressHealth = (object: KubeObject): Health => ({
  status: hasIngress(object) ? "Healthy" : "Progressing",
});

/** Pending counts as healthy, as Validated Patterns has it: a claim may wait for its first consumer. */
export function persistentVolumeClaimHealth(object: KubeObject): Health {
  const phase = (object["status"] as { phase?: string } | undefined)?.phase;
  return phase === "Lost"
    ? { status: "Degraded", message: "the volume is lost" }
    : { status: phase === "Bound" || phase === "Pending" ? "Healthy" : "Progressing" };
}

export function apiServiceHealth(object: KubeObject): Health {
  const conditions = (object["status"] as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  const available = conditions.find((condition) => condition.type === "Available");
  if (available?.status === "True") return { status: "Healthy" };
  return { status: "Progressing", message: available?.message ?? "Waiting to be processed" };
}

export function subscriptionHealth(object: KubeObject): Health {
  const status = object["status"] as { state?: string; conditions?: Condition[] } | undefined;
  const failing = status?.conditions?.find(
    (condition) => condition.status === "True" && /Failed|Unhealthy/.test(condition.type),
  );
  if (failing !== undefined) return { status: "Degraded", message: failing.message ?? failing.type };
  return status?.state === "AtLatestKnown"
    ? { status: "Healthy" }
    : { status: "Progressing", message: status?.state ?? "Waiting for the operator" };
}
