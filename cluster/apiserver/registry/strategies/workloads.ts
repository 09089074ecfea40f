/** ReplicaSets, Jobs and their like: fields to select by, and what is made for them. */
import type { KubeObject } from "@travelops/kube";
import { read, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";

const count =
  (...path: string[]) =>
  (object: KubeObject): string =>
    text(read(object, ...path), "0");

export const replicaSets: Partial<Strategy> = {
  selectableFields: { "status.replicas": count("status", "replicas") },
};

export const replicationControllers: Partial<Strategy> = {
  selectableFields: { "status.replicas": count("status", "replicas") },
};

export const jobs: Partial<Strategy> = {
  selectableFields: { "status.successful": count("status", "succeeded") },
  /** The selector and its labels are made from the uid, unless the user chose to make them. */
  prepareForCreate(job) {
    if (read(job, "spec", "manualSelector") === true) return { ...job, status: {} };
    return { ...withGeneratedSelector(job), status: {} };
  },
};

function withGeneratedSelector(job: KubeObject): KubeObject {
  const uid = job.metadata.uid ?? "";
  const name = job.metadata.name ?? "";
  const spec = (job["spec"] ?? {}) as Record<string, unknown>;
  const template = (spec["template"] ?? {}) as Record<string, unknown>;
  const metadata = (template["metadata"] ?? {}) as Record<string, unknown>;
  const labels = {
    ...(metadata["labels"] as Record<string, string> | undefined),
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
  };
  const given = (spec["selector"] ?? {}) as { matchLabels?: Record<string, string> };
  const selector = { ...given, matchLabels: { ...given.matchLabels, "batch.kubernetes.io/controller-uid": uid } };
  return { ...job, spec: { ...spec, selector, template: { ...template, metadata: { ...metadata, labels } } } };
}
