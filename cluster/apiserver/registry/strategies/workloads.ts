/** ReplicaSets, DaemonSets, Jobs and their like: fields to select by, and what is made for them. */
import { jsonEqual, type KubeObject } from "@travelops/kube";
import { read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";
import {
  cronJobWarnings,
  jobWarnings,
  statefulWarnings,
  type Templated,
  workloadWarnings,
  zoneWarnings,
} from "../warnings/workload-warnings.ts";
import { withoutDroppedInTemplate } from "./dropped-fields.ts";

const count =
  (...path: string[]) =>
  (object: KubeObject): string =>
    text(read(object, ...path), "0");

/** What all that make pods have in common: no fields of features that are off, and warnings of their template. */
function templated(of: Templated): Pick<Strategy, "afterAdmission" | "warnings"> {
  const path = of.path.slice(0, -1);
  return {
    afterAdmission: (object) => withoutDroppedInTemplate(object, path),
    warnings(object, old) {
      const said: string[] = [];
      workloadWarnings(object, old, of, (words) => void said.push(words));
      return said;
    },
  };
}

const TEMPLATE = ["spec", "template"];

export const podTemplates: Partial<Strategy> = templated({ path: ["template"] });

export const deployments: Partial<Strategy> = {
  ...templated({ path: TEMPLATE, names: true }),
  /** Labels are not for `/status` to change. */
  prepareForStatusUpdate(deployment, { metadata: { labels } }) {
    const { labels: _labels, ...metadata } = deployment.metadata;
    return { ...deployment, metadata: labels === undefined ? metadata : { ...metadata, labels } };
  },
};

export const replicaSets: Partial<Strategy> = {
  ...templated({ path: TEMPLATE, names: true }),
  selectableFields: { "status.replicas": count("status", "replicas") },
};

export const replicationControllers: Partial<Strategy> = {
  ...templated({ path: TEMPLATE, names: true, warnsOfOld: true }),
  selectableFields: { "status.replicas": count("status", "replicas") },
};

/** How many pods may be missing at once is a feature that is off. */
function withoutMaxUnavailable(set: KubeObject): KubeObject {
  const spec = record(set["spec"]);
  const strategy = record(spec["updateStrategy"]);
  const rolling = record(strategy["rollingUpdate"]);
  if (rolling["maxUnavailable"] === undefined) return set;
  const { maxUnavailable: _off, ...rollingUpdate } = rolling;
  return { ...set, spec: { ...spec, updateStrategy: { ...strategy, rollingUpdate } } };
}

export const statefulSets: Partial<Strategy> = {
  ...templated({ path: TEMPLATE, also: statefulWarnings }),
  afterAdmission: (set) => withoutMaxUnavailable(withoutDroppedInTemplate(set, ["spec"])),
};

export const cronJobs: Partial<Strategy> = templated({
  path: ["spec", "jobTemplate", "spec", "template"],
  names: true,
  before: cronJobWarnings,
  also: zoneWarnings,
});

const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

const withTemplateGeneration = (set: KubeObject, generation: string): KubeObject => ({
  ...set,
  metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, [TEMPLATE_GENERATION]: generation } },
});

const generationOf = (set: KubeObject): number => Number(set.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);

/** How often the template has changed is told in an annotation, as of old. */
export const daemonSets: Partial<Strategy> = {
  ...templated({ path: TEMPLATE }),
  afterAdmission(given, old) {
    const set = withoutDroppedInTemplate(given, ["spec"]);
    if (old === undefined) return withTemplateGeneration(set, String(Math.max(generationOf(set), 1)));
    const isSame = jsonEqual(read(set, "spec", "template"), read(old, "spec", "template"));
    return withTemplateGeneration(set, String(generationOf(old) + (isSame ? 0 : 1)));
  },
  /** The number stands in an annotation, and is part of the spec. */
  prepareForStatusUpdate: (set, old) => withTemplateGeneration(set, String(generationOf(old))),
};

export const jobs: Partial<Strategy> = {
  ...templated({ path: TEMPLATE, names: true, before: jobWarnings }),
  selectableFields: { "status.successful": count("status", "succeeded") },
  /** The selector and its labels are made from the uid, unless the user chose to make them. */
  afterAdmission(given, old) {
    const job = withoutDroppedInTemplate(given, ["spec"]);
    if (old !== undefined) return job;
    const labels = labelsOfTemplate(job);
    const selecting = read(job, "spec", "manualSelector") === true ? job : withGeneratedSelector(job);
    // Labels taken over from the template are one with it. Without any they are taken over when the job is read.
    const shared = labels === undefined ? isUnlabelled(job) : job.metadata.labels === labels;
    return shared ? withTemplateLabels(selecting) : selecting;
  },
};

const labelsOfTemplate = (job: KubeObject): Record<string, string> | undefined =>
  read(job, "spec", "template", "metadata", "labels") as Record<string, string> | undefined;

const isUnlabelled = (job: KubeObject): boolean => Object.keys(job.metadata.labels ?? {}).length === 0;

/** A Job without labels of its own has those of its pods. */
function withTemplateLabels(job: KubeObject): KubeObject {
  const labels = labelsOfTemplate(job);
  return labels === undefined ? job : { ...job, metadata: { ...job.metadata, labels } };
}

/** What the user has said of the labels stays, and is found wrong where it is. */
function withGeneratedSelector(job: KubeObject): KubeObject {
  const uid = job.metadata.uid ?? "";
  const name = job.metadata.name ?? "";
  const spec = (job["spec"] ?? {}) as Record<string, unknown>;
  const template = (spec["template"] ?? {}) as Record<string, unknown>;
  const metadata = (template["metadata"] ?? {}) as Record<string, unknown>;
  const labels = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
    ...(metadata["labels"] as Record<string, string> | undefined),
  };
  const given = (spec["selector"] ?? {}) as { matchLabels?: Record<string, string> };
  const selector = { ...given, matchLabels: { "batch.kubernetes.io/controller-uid": uid, ...given.matchLabels } };
  return { ...job, spec: { ...spec, selector, template: { ...template, metadata: { ...metadata, labels } } } };
}
