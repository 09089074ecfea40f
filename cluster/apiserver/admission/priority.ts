import { forbidden } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import type { PriorityClass } from "@travelops/kube/api/types/cluster";
import type { AdmissionAttributes } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { lookUp, objectsOf, shownName, withSpec, writes } from "./plugin.ts";
import { podSpec } from "./pod-shape.ts";

const TABLE = "priorityclasses.scheduling.k8s.io";
const PREEMPT = "PreemptLowerPriority";

/** Part of every cluster, also before its bootstrap has written them. */
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

interface Computed {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

/** Turns the name of a pod's PriorityClass into its number. */
export const priority: AdmissionPlugin = {
  name: "Priority",
  mutate(object, attributes, view) {
    if (!writes(attributes, "", "pods")) return object;
    if (attributes.operation === "UPDATE") return keepPriority(object, attributes.oldObject);
    const spec = podSpec(object);
    const computed = compute(attributes, view, spec.priorityClassName ?? "");
    const refuse = (what: string, given: unknown, wanted: unknown) =>
      forbidden(
        { group: "", resource: "pods" },
        shownName(attributes),
        `the ${what} (${String(given)}) must not be provided in pod spec; priority admission controller computed ${String(wanted)} from the given PriorityClass name`,
      );
    if (spec.priority !== undefined && spec.priority !== computed.value)
      throw refuse("integer value of priority", spec.priority, computed.value);
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== computed.preemptionPolicy) {
      throw refuse("string value of PreemptionPolicy", spec.preemptionPolicy, computed.preemptionPolicy);
    }
    return withSpec(object, {
      priority: computed.value,
      preemptionPolicy: computed.preemptionPolicy,
      ...(computed.name === "" ? {} : { priorityClassName: computed.name }),
    });
  },
  validate(attributes, view) {
    const { object, operation } = attributes;
    if (!writes(attributes, "scheduling.k8s.io", "priorityclasses") || object === undefined || operation === "CONNECT")
      return;
    if ((object as PriorityClass).globalDefault !== true) return;
    const other = defaultClass(view);
    if (other === undefined || other.metadata.name === object.metadata.name) return;
    const why = `PriorityClass ${other.metadata.name ?? ""} is already marked as default. Only one default can exist`;
    throw forbidden({ group: "scheduling.k8s.io", resource: "priorityclasses" }, shownName(attributes), why);
  },
};

function keepPriority(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const before = old === undefined ? {} : podSpec(old);
  const now = podSpec(object);
  const lost: Record<string, unknown> = {};
  if (now.priority === undefined && before.priority !== undefined) lost["priority"] = before.priority;
  if (now.preemptionPolicy === undefined && before.preemptionPolicy !== undefined)
    lost["preemptionPolicy"] = before.preemptionPolicy;
  return Object.keys(lost).length === 0 ? object : withSpec(object, lost);
}

function compute(attributes: AdmissionAttributes, view: ClusterView, name: string): Computed {
  if (name === "") {
    const found = defaultClass(view);
    return found === undefined ? { name, value: 0, preemptionPolicy: PREEMPT } : fromClass(found);
  }
  const found = lookUp(view, TABLE, "", name) as PriorityClass | undefined;
  if (found !== undefined) return fromClass(found);
  const value = Object.hasOwn(SYSTEM_CLASSES, name) ? SYSTEM_CLASSES[name] : undefined;
  if (value !== undefined) return { name, value, preemptionPolicy: PREEMPT };
  throw forbidden(
    { group: "", resource: "pods" },
    shownName(attributes),
    `no PriorityClass with name ${name} was found`,
  );
}

const defaultClass = (view: ClusterView): PriorityClass | undefined =>
  (objectsOf(view, TABLE) as readonly PriorityClass[]).find((one) => one.globalDefault === true);

const fromClass = ({ metadata, value, preemptionPolicy }: PriorityClass): Computed => ({
  name: metadata.name ?? "",
  value,
  preemptionPolicy: preemptionPolicy ?? PREEMPT,
});
