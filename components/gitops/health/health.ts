/** How well one live object is, by kind (gitops-engine pkg/health). Kinds without a rule have no health. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import type { HealthCode } from "../application/types.ts";
import {
  appHealth,
  daemonSetHealth,
  deploymentHealth,
  hpaHealth,
  jobHealth,
  replicaSetHealth,
  statefulSetHealth,
} from "./workloads.ts";
import { podHealth } from "./pod.ts";
import {
  apiServiceHealth,
  ingressHealth,
  persistentVolumeClaimHealth,
  serviceHealth,
  subscriptionHealth,
} from "./furniture.ts";

export interface Health {
  status: HealthCode;
  message?: string;
}

export type HealthRule = (object: KubeObject) => Health;

const RULES: Readonly<Record<string, HealthRule>> = {
  "apps/Deployment": deploymentHealth,
  "apps/StatefulSet": statefulSetHealth,
  "apps/DaemonSet": daemonSetHealth,
  "apps/ReplicaSet": replicaSetHealth,
  "batch/Job": jobHealth,
  "autoscaling/HorizontalPodAutoscaler": hpaHealth,
  "/Pod": podHealth,
  "/Service": serviceHealth,
  "/PersistentVolumeClaim": persistentVolumeClaimHealth,
  "networking.k8s.io/Ingress": ingressHealth,
  "apiregistration.k8s.io/APIService": apiServiceHealth,
  "operators.coreos.com/Subscription": subscriptionHealth,
  "argoproj.io/Application": appHealth,
};

const SEVERITY: readonly HealthCode[] = ["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"];

export function healthOf(object: KubeObject): Health | undefined {
  if (object.metadata.deletionTimestamp !== undefined) return { status: "Progressing", message: "Pending deletion" };
  return RULES[`${parseApiVersion(object.apiVersion).group}/${object.kind}`]?.(object);
}

const isWorse = (a: HealthCode, b: HealthCode): boolean => SEVERITY.indexOf(a) > SEVERITY.indexOf(b);

/** The worst of all; Missing when nothing of a non-empty set is live. */
export function aggregateHealth(
  resources: readonly { live: boolean; health: Health | undefined; ignored: boolean }[],
): HealthCode {
  const counted = resources.filter((resource) => !resource.ignored);
  if (counted.length > 0 && counted.every((resource) => !resource.live)) return "Missing";
  let worst: HealthCode = "Healthy";
  for (const { live, health } of counted) {
    if (live && health !== undefined && isWorse(health.status, worst)) worst = health.status;
  }
  return worst;
}

export const ignoresHealth = (object: KubeObject): boolean =>
  object.metadata.annotations?.["argocd.argoproj.io/ignore-healthcheck"] === "true";
