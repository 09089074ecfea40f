import type { KubeObject } from "@travelops/kube";
import { formatLabelSelector, type LabelSelector } from "@travelops/kube/client/selectors";
import {
  age,
  AGE,
  array,
  containersText,
  humanDuration,
  labelsText,
  number,
  printer,
  read,
  record,
  since,
  text,
  type Cell,
  type Printer,
} from "./printer.ts";

const NONE = "<none>";

/** A LabelSelector as text; `<none>` where it selects nothing. */
export function selectorText(selector: unknown): string {
  if (selector === undefined || selector === null) return NONE;
  try {
    return formatLabelSelector(selector as LabelSelector) || NONE;
  } catch {
    return "<error>";
  }
}

const status = (object: KubeObject, field: string): number => number(read(object, "status", field));
const spec = (object: KubeObject, field: string): number => number(read(object, "spec", field));
const template = (object: KubeObject): [string, string] => containersText(read(object, "spec", "template", "spec"));

const WIDE = [["Containers"], ["Images"], ["Selector"]] as const;

export const deployments: Printer = printer([["Ready"], ["Up-to-date"], ["Available"], AGE], WIDE, (object, now) => [
  `${status(object, "readyReplicas")}/${spec(object, "replicas")}`,
  status(object, "updatedReplicas"),
  status(object, "availableReplicas"),
  age(object, now),
  ...template(object),
  selectorText(read(object, "spec", "selector")),
]);

const replicaCells = (object: KubeObject, now: number): Cell[] => [
  spec(object, "replicas"),
  status(object, "replicas"),
  status(object, "readyReplicas"),
  age(object, now),
  ...template(object),
];

export const replicaSets: Printer = printer(
  [["Desired", "integer"], ["Current", "integer"], ["Ready", "integer"], AGE],
  WIDE,
  (object, now) => [...replicaCells(object, now), selectorText(read(object, "spec", "selector"))],
);

export const replicationControllers: Printer = printer(
  [["Desired", "integer"], ["Current", "integer"], ["Ready", "integer"], AGE],
  WIDE,
  (object, now) => [...replicaCells(object, now), labelsText(read(object, "spec", "selector"))],
);

export const statefulSets: Printer = printer([["Ready"], AGE], [["Containers"], ["Images"]], (object, now) => [
  `${status(object, "readyReplicas")}/${spec(object, "replicas")}`,
  age(object, now),
  ...template(object),
]);

export const daemonSets: Printer = printer(
  [
    ["Desired", "integer"],
    ["Current", "integer"],
    ["Ready", "integer"],
    ["Up-to-date", "integer"],
    ["Available", "integer"],
    ["Node Selector"],
    AGE,
  ],
  WIDE,
  (object, now) => [
    status(object, "desiredNumberScheduled"),
    status(object, "currentNumberScheduled"),
    status(object, "numberReady"),
    status(object, "updatedNumberScheduled"),
    status(object, "numberAvailable"),
    labelsText(read(object, "spec", "template", "spec", "nodeSelector")),
    age(object, now),
    ...template(object),
    selectorText(read(object, "spec", "selector")),
  ],
);

const hasCondition = (object: KubeObject, type: string): boolean =>
  array(read(object, "status", "conditions")).some((c) => read(c, "type") === type && read(c, "status") === "True");

function jobStatus(job: KubeObject): string {
  if (hasCondition(job, "Complete")) return "Complete";
  if (hasCondition(job, "Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (hasCondition(job, "Suspended")) return "Suspended";
  if (hasCondition(job, "FailureTarget")) return "FailureTarget";
  if (hasCondition(job, "SuccessCriteriaMet")) return "SuccessCriteriaMet";
  return "Running";
}

function completions(job: KubeObject): string {
  const wanted = read(job, "spec", "completions");
  const done = status(job, "succeeded");
  if (typeof wanted === "number") return `${done}/${wanted}`;
  const parallelism = spec(job, "parallelism");
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function duration(job: KubeObject, now: number): string {
  const start = Date.parse(text(read(job, "status", "startTime")));
  if (Number.isNaN(start)) return "";
  const end = Date.parse(text(read(job, "status", "completionTime")));
  return humanDuration((Number.isNaN(end) ? now : end) - start);
}

export const jobs: Printer = printer([["Status"], ["Completions"], ["Duration"], AGE], WIDE, (job, now) => [
  jobStatus(job),
  completions(job),
  duration(job, now),
  age(job, now),
  ...template(job),
  selectorText(read(job, "spec", "selector")),
]);

export const cronJobs: Printer = printer(
  [["Schedule"], ["Timezone"], ["Suspend", "boolean"], ["Active", "integer"], ["Last Schedule"], AGE],
  WIDE,
  (job, now) => {
    const last = read(job, "status", "lastScheduleTime");
    return [
      text(read(job, "spec", "schedule")),
      text(read(job, "spec", "timeZone"), NONE),
      read(job, "spec", "suspend") === true ? "True" : "False",
      array(read(job, "status", "active")).length,
      last === undefined ? NONE : since(last, now),
      age(job, now),
      ...containersText(read(job, "spec", "jobTemplate", "spec", "template", "spec")),
      selectorText(read(job, "spec", "jobTemplate", "spec", "selector")),
    ];
  },
);

export const controllerRevisions: Printer = printer([["Controller"], ["Revision"], AGE], [], (object, now) => {
  const owner = (object.metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
  const [group = ""] = (owner?.apiVersion ?? "").split("/");
  const kind = owner?.kind.toLowerCase() ?? "";
  return [
    owner === undefined ? NONE : `${kind}${owner.apiVersion.includes("/") ? `.${group}` : ""}/${owner.name}`,
    number(object["revision"]),
    age(object, now),
  ];
});

export const podTemplates: Printer = printer([["Containers"], ["Images"], ["Pod Labels"]], [], (object) => [
  ...containersText(read(object, "template", "spec")),
  labelsText(read(object, "template", "metadata", "labels")),
]);

const value = (quantityOrNumber: unknown): string => text(quantityOrNumber, "<unknown>");

function metricText(metric: unknown, current: unknown): string {
  const type = text(read(metric, "type"));
  const field = type.charAt(0).toLowerCase() + type.slice(1);
  const target = read(metric, field, "target");
  const now = read(current, field, "current");
  const name = text(read(metric, field, "name"));
  if (read(target, "averageUtilization") !== undefined) {
    const utilization = read(now, "averageUtilization");
    return `${name}: ${utilization === undefined ? "<unknown>" : `${text(utilization)}%`}/${text(read(target, "averageUtilization"))}%`;
  }
  if (read(target, "averageValue") !== undefined) {
    return `${name === "" ? "" : `${name}: `}${value(read(now, "averageValue"))}/${text(read(target, "averageValue"))}${type === "External" ? " (avg)" : ""}`;
  }
  return `${value(read(now, "value"))}/${text(read(target, "value"))}`;
}

export const horizontalPodAutoscalers: Printer = printer(
  [["Reference"], ["Targets"], ["MinPods"], ["MaxPods"], ["Replicas"], AGE],
  [],
  (object, now) => {
    const reference = record(read(object, "spec", "scaleTargetRef"));
    const metrics = array(read(object, "spec", "metrics"));
    const current = array(read(object, "status", "currentMetrics"));
    const shown = metrics.slice(0, 2).map((metric, i) => metricText(metric, current[i]));
    const more = metrics.length > 2 ? ` + ${metrics.length - 2} more...` : "";
    const cpu = read(object, "spec", "targetCPUUtilizationPercentage");
    const old =
      cpu === undefined
        ? NONE
        : `cpu: ${value(read(object, "status", "currentCPUUtilizationPercentage"))}/${text(cpu)}%`;
    return [
      `${text(reference["kind"])}/${text(reference["name"])}`,
      metrics.length === 0 ? old : shown.join(", ") + more,
      text(read(object, "spec", "minReplicas"), "<unset>"),
      spec(object, "maxReplicas"),
      status(object, "currentReplicas"),
      age(object, now),
    ];
  },
);

export const podDisruptionBudgets: Printer = printer(
  [["Min Available"], ["Max Unavailable"], ["Allowed Disruptions", "integer"], AGE],
  [],
  (object, now) => [
    text(read(object, "spec", "minAvailable"), "N/A"),
    text(read(object, "spec", "maxUnavailable"), "N/A"),
    status(object, "disruptionsAllowed"),
    age(object, now),
  ],
);
