import type { KubeObject } from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube/api/quantity";
import { array, number, read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";
import { podWarnings } from "../warnings/pod-warnings.ts";
import { nameWarnings } from "../warnings/workload-warnings.ts";
import { withAppArmorFields } from "./app-armor-fields.ts";
import { withoutDropped, withoutDroppedStatus } from "./dropped-fields.ts";
import { withMatchLabelKeys } from "./match-label-keys.ts";

const spec = (pod: KubeObject): Readonly<Record<string, unknown>> => record(pod["spec"]);

const everyContainer = (pod: KubeObject): readonly unknown[] => [
  ...array(spec(pod)["containers"]),
  ...array(spec(pod)["initContainers"]),
];

/** What a pod says of itself as a whole goes before what its containers say. */
const ownersOfResources = (pod: KubeObject): readonly unknown[] =>
  spec(pod)["resources"] === undefined ? everyContainer(pod) : [spec(pod)];

/** BestEffort, Burstable or Guaranteed, from requests and limits of cpu and memory. */
export function qosClass(pod: KubeObject): string {
  const sums = { requests: new Map<string, bigint>(), limits: new Map<string, bigint>() };
  let limited = true;
  for (const owner of ownersOfResources(pod)) {
    const resources = record(read(owner, "resources"));
    for (const name of ["cpu", "memory"]) {
      for (const key of ["requests", "limits"] as const) {
        const value = record(resources[key])[name];
        const nano = value === undefined ? 0n : (tryParseQuantity(value)?.nano ?? 0n);
        if (nano > 0n) sums[key].set(name, (sums[key].get(name) ?? 0n) + nano);
        else if (key === "limits") limited = false;
      }
    }
  }
  if (sums.requests.size === 0 && sums.limits.size === 0) return "BestEffort";
  const equal = [...sums.requests].every(([name, nano]) => sums.limits.get(name) === nano);
  return limited && equal && sums.requests.size === sums.limits.size ? "Guaranteed" : "Burstable";
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

type Status = Readonly<Record<string, unknown>>;

/** The class is told once; which generation was seen is not forgotten, as a whole and by each condition. */
function keptStatus(status: Status, old: Status): Status {
  const seen = new Map<string, unknown[]>();
  for (const one of array(old["conditions"]))
    seen.set(text(read(one, "type")), [
      ...(seen.get(text(read(one, "type"))) ?? []),
      read(one, "observedGeneration") ?? 0,
    ]);
  const conditions = array(status["conditions"]).map((one) => {
    const before = seen.get(text(read(one, "type")))?.shift() ?? 0;
    return number(read(one, "observedGeneration"), 0) === 0 && before !== 0
      ? { ...record(one), observedGeneration: before }
      : one;
  });
  const next: Record<string, unknown> = { ...status };
  if (conditions.length > 0) next["conditions"] = conditions;
  if (text(status["qosClass"]) === "" && text(old["qosClass"]) !== "") next["qosClass"] = old["qosClass"];
  if (number(status["observedGeneration"], 0) === 0 && number(old["observedGeneration"], 0) !== 0)
    next["observedGeneration"] = old["observedGeneration"];
  return next;
}

/** One address stands in two places: the single one counts where they differ, the first of the list where it is alone. */
function podAddresses(status: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const podIP = text(status["podIP"]);
  const first = text(read(array(status["podIPs"])[0], "ip"));
  if (podIP !== "") return podIP === first ? {} : { podIPs: [{ ip: podIP }] };
  return first === "" ? {} : { podIP: first };
}

export const pods: Partial<Strategy> = {
  prepareForCreate(pod, { now }) {
    const status = { phase: "Pending", qosClass: qosClass(pod) };
    if (array(spec(pod)["schedulingGates"]).length === 0) return { ...pod, status };
    return { ...pod, status: { ...status, conditions: [{ ...GATED, lastTransitionTime: now, lastProbeTime: null }] } };
  },
  /** Owners are not for `/status` to change; what only newer agents write is kept for the older ones. */
  prepareForStatusUpdate(pod, old, _context, subresource) {
    if (subresource !== "status") return pod;
    const { ownerReferences } = old.metadata;
    const { ownerReferences: _owners, ...metadata } = pod.metadata;
    const kept = keptStatus(withoutDroppedStatus(record(pod["status"])), record(old["status"]));
    const status = { ...kept, ...podAddresses(kept) };
    return { ...pod, status, metadata: ownerReferences === undefined ? metadata : { ...metadata, ownerReferences } };
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
