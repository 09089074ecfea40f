/**
 * Resources that were changed while a pod runs (`pods/resize`): limits are put in force where the container stands, or
 * with a new start where its resizePolicy asks for that; what the node cannot offer stays pending.
 */
import {
  addQuantity,
  compareQuantity,
  parseQuantity,
  quantityMilli,
  quantityValue,
} from "@travelops/kube/api/quantity.ts";
import type { Condition } from "@travelops/kube";
import type { Container, Pod, ResourceRequirements } from "@travelops/kube/api/types/index.ts";
import type { ContainerRecord } from "./pod-record.ts";

export type ResizeStep =
  | { readonly kind: "none" }
  /** More than the whole node has. */
  | { readonly kind: "infeasible"; readonly message: string }
  | { readonly kind: "change"; readonly changed: readonly ResizedContainer[] };

export interface ResizedContainer {
  readonly record: ContainerRecord;
  readonly resources: ResourceRequirements;
  readonly restart: boolean;
}

/** What has to be done for a pod whose spec asks for other resources than its running containers have. Pure. */
export function planResize(
  pod: Pod,
  records: readonly ContainerRecord[],
  allocatable: Readonly<Record<string, string>>,
): ResizeStep {
  const changed: ResizedContainer[] = [];
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const record = records.find((one) => one.name === container.name);
    if (record?.state.kind !== "running" || record.resources === undefined) continue;
    const resources = container.resources ?? {};
    if (same(record.resources, resources)) continue;
    changed.push({ record, resources, restart: needsRestart(container, record.resources, resources) });
  }
  if (changed.length === 0) return { kind: "none" };
  const message = tooMuch(pod, allocatable);
  return message === undefined ? { kind: "change", changed } : { kind: "infeasible", message };
}

const NAMES = ["cpu", "memory"] as const;

function same(a: ResourceRequirements, b: ResourceRequirements): boolean {
  return (["limits", "requests"] as const).every((set) => NAMES.every((name) => equal(a[set]?.[name], b[set]?.[name])));
}

function equal(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareQuantity(parseQuantity(a), parseQuantity(b)) === 0;
}

function needsRestart(container: Container, before: ResourceRequirements, after: ResourceRequirements): boolean {
  return (container.resizePolicy ?? []).some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" &&
      !(
        equal(before.limits?.[resourceName], after.limits?.[resourceName]) &&
        equal(before.requests?.[resourceName], after.requests?.[resourceName])
      ),
  );
}

function tooMuch(pod: Pod, allocatable: Readonly<Record<string, string>>): string | undefined {
  const total = (name: string) =>
    pod.spec.containers
      .map(({ resources }) => parseQuantity(resources?.requests?.[name] ?? "0"))
      .reduce(addQuantity, parseQuantity("0"));
  const has = (name: string) => parseQuantity(allocatable[name] ?? "0");
  const of = (name: string, value: bigint, most: bigint): string | undefined =>
    value > most ? `Node didn't have enough capacity: ${name}, requested: ${value}, capacity: ${most}` : undefined;
  return (
    of("memory", quantityValue(total("memory")), quantityValue(has("memory"))) ??
    of("cpu", quantityMilli(total("cpu")), quantityMilli(has("cpu")))
  );
}

/** `Pod resize completed: {…}`, as upstream's events say it. */
export function resizeMessage(pod: Pod, what: string, error?: string): string {
  const summary = (containers: readonly Container[] | undefined): object[] | undefined =>
    containers?.map(({ name, resources }) => ({ name, resources: resources ?? {} }));
  return `Pod resize ${what}: ${JSON.stringify({
    initContainers: summary(pod.spec.initContainers),
    containers: summary(pod.spec.containers),
    generation: pod.metadata.generation ?? 0,
    error,
  })}`;
}

/** The condition of a resize that cannot be; undefined takes it away. */
export const pendingResize = (message: string): Omit<Condition, "lastTransitionTime"> => ({
  type: "PodResizePending",
  status: "True",
  reason: "Infeasible",
  message,
});
