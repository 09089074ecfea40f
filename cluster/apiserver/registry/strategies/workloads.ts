/** ReplicaSets, DaemonSets, Jobs and their like: fields to select by, and what is made for them. */
import { jsonEqual, type KubeObject } from "@travelops/kube";
import { read, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";

const count =
  (...path: string[]) =>
  (object: KubeObject): string =>
    text(read(object, ...path), "0");

/** Labels are not for `/status` to change. */
export const deployments: Partial<Strategy> = {
  prepareForStatusUpdate(deployment, { metadata: { labels } }) {
    const { labels: _labels, ...metadata } = deployment.metadata;
    return { ...deployment, metadata: labels === undefined ? metadata : { ...metadata, labels } };
  },
};

export const replicaSets: Partial<Strategy> = {
  selectableFields: { "status.replicas": count("status", "replicas") },
};

export const replicationControllers: Partial<Strategy> = {
  selectableFields: { "status.replicas": count("status", "replicas") },
};

const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

const withTemplateGeneration = (set: KubeObject, generation: string): KubeObject => ({
  ...set,
  metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, [TEMPLATE_GENERATION]: generation } },
});

/** How often the template has changed is told in an annotation, as of old. */
export const daemonSets: Partial<Strategy> = {
  prepareForCreate: (set) => withTemplateGeneration(set, "1"),
  prepareForUpdate(set, old) {
    const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? "1");
    const isSame = jsonEqual(read(set, "spec", "template"), read(old, "spec", "template"));
    return withTemplateGeneration(set, String(isSame ? before : before + 1));
  },
};

export const jobs: Partial<Strategy> = {
  selectableFields: { "status.successful": count("status", "succeeded") },
  /** The selector and its labels are made from the uid, unless the user chose to make them. */
  prepareForCreate(job) {
    const selecting = read(job, "spec", "manualSelector") === true ? job : withGeneratedSelector(job);
    return withTemplateLabels(selecting);
  },
};

/** A Job without labels of its own has those of its pods. */
function withTemplateLabels(job: KubeObject): KubeObject {
  const labels = read(job, "spec", "template", "metadata", "labels") as Record<string, string> | undefined;
  if (labels === undefined || Object.keys(job.metadata.labels ?? {}).length > 0) return job;
  return { ...job, metadata: { ...job.metadata, labels } };
}

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
