import type { KubeObject } from "@travelops/kube";
import { array, number, read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";
import { podWarnings } from "../warnings/pod-warnings.ts";
import { nameWarnings } from "../warnings/workload-warnings.ts";
import { withAppArmorFields } from "./app-armor-fields.ts";
import { withoutDropped } from "./dropped-fields.ts";
import { withMatchLabelKeys } from "./match-label-keys.ts";

const spec = (pod: KubeObject): Readonly<Record<string, unknown>> => record(pod["spec"]);

const everyContainer = (pod: KubeObject): readonly unknown[] => [
  ...array(spec(pod)["containers"]),
  ...array(spec(pod)["initContainers"]),
];

/** BestEffort, Burstable or Guaranteed, from requests and limits of cpu and memory. */
export function qosClass(pod: KubeObject): string {
  let any = false;
  let guaranteed = true;
  for (const container of everyContainer(pod)) {
    const requests = record(read(container, "resources", "requests"));
    const limits = record(read(container, "resources", "limits"));
    for (const name of ["cpu", "memory"]) {
      const request = requests[name];
      const limit = limits[name];
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || (request !== undefined && text(request) !== text(limit))) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

const at =
  (...path: string[]) =>
  (pod: KubeObject): string =>
    text(read(pod, ...path));

/** Held back by its gates, which the scheduler does not even look at. */
const GATED = {
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

export const pods: Partial<Strategy> = {
  prepareForCreate(pod, { now }) {
    const status = { phase: "Pending", qosClass: qosClass(pod) };
    if (array(spec(pod)["schedulingGates"]).length === 0) return { ...pod, status };
    return { ...pod, status: { ...status, conditions: [{ ...GATED, lastTransitionTime: now, lastProbeTime: null }] } };
  },
  /** Owners are not for `/status` to change. */
  prepareForStatusUpdate(pod, { metadata: { ownerReferences } }, _context, subresource) {
    if (subresource !== "status") return pod;
    const { ownerReferences: _owners, ...metadata } = pod.metadata;
    return { ...pod, metadata: ownerReferences === undefined ? metadata : { ...metadata, ownerReferences } };
  },
  afterAdmission(given, old, { warn }) {
    const pod = withoutDropped(given);
    return old === undefined ? withAppArmorFields(withMatchLabelKeys(pod), warn) : pod;
  },
  warnings(pod, old) {
    const said: string[] = [];
    if (old !== undefined) return said;
    const warn = (words: string): void => void said.push(words);
    nameWarnings(pod.metadata.name ?? "", "the Pod's hostname", warn);
    podWarnings(pod, "", warn);
    return said;
  },
  /** A pod that never ran goes at once; one that runs gets its grace, which a second deletion may shorten. */
  gracePeriod(pod, { gracePeriodSeconds }) {
    const wanted = gracePeriodSeconds ?? number(read(pod, "spec", "terminationGracePeriodSeconds"), 30);
    const phase = text(read(pod, "status", "phase"));
    if (text(read(pod, "spec", "nodeName")) === "" || phase === "Failed" || phase === "Succeeded") return 0;
    return wanted < 0 ? 1 : wanted;
  },
  selectableFields: {
    "spec.nodeName": at("spec", "nodeName"),
    "spec.restartPolicy": at("spec", "restartPolicy"),
    "spec.schedulerName": at("spec", "schedulerName"),
    "spec.serviceAccountName": at("spec", "serviceAccountName"),
    "spec.hostNetwork": (pod) => String(read(pod, "spec", "hostNetwork") === true),
    "status.phase": at("status", "phase"),
    "status.podIP": at("status", "podIP"),
    "status.podIPs": at("status", "podIP"),
    "status.nominatedNodeName": at("status", "nominatedNodeName"),
  },
};
