/**
 * Resources that were changed while a pod runs (`pods/resize`): limits are put in force where the container stands, or
 * with a new start where its resizePolicy asks for that; what the node cannot offer stays pending.
 */
import { compareQuantity, parseQuantity } from "@travelops/kube/api/quantity.ts";
import type { Condition } from "@travelops/kube";
import type { Container, Pod, ResourceRequirements } from "@travelops/kube/api/types/index.ts";
import { specRequests, type Amounts } from "../../scheduler/resources.ts";
import type { ContainerRecord } from "./pod-record.ts";
import { qosClass } from "./qos.ts";

/** `Infeasible`: more than the whole node has. `Deferred`: more than other pods leave of it; tried again when they leave more. */
export type PendingReason = "Infeasible" | "Deferred";

export interface PendingResize {
  readonly reason: PendingReason;
  readonly message: string;
  readonly generation: number | undefined;
  readonly since: number;
}

export type ResizeStep =
  | { readonly kind: "none" }
  | { readonly kind: "pending"; readonly reason: PendingReason; readonly message: string }
  | { readonly kind: "change"; readonly changed: readonly ResizedContainer[] };

export interface ResizedContainer {
  readonly record: ContainerRecord;
  readonly resources: ResourceRequirements;
  readonly restart: boolean;
}

/** What a node can give. */
export interface NodeRoom {
  readonly allocatable: Amounts;
  /** What its other pods have been given. */
  readonly used: () => Amounts;
}

/** What has to be done for a pod whose spec asks for other resources than its running containers have. Pure. */
export function planResize(pod: Pod, records: readonly ContainerRecord[], room: NodeRoom): ResizeStep {
  const changed: ResizedContainer[] = [];
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const record = records.find((one) => one.name === container.name);
    if (record?.state.kind !== "running" || record.resources === undefined) continue;
    const resources = container.resources ?? {};
    if (same(record.resources, resources)) continue;
    changed.push({ record, resources, restart: needsRestart(container, record.resources, resources) });
  }
  if (changed.length === 0) return { kind: "none" };
  return tooMuch(specRequests(pod), room) ?? { kind: "change", changed };
}

/** The pod as it has been given resources, whatever it asks for by now. */
export function allocatedPod(pod: Pod, records: readonly ContainerRecord[]): Pod {
  const allocated = (container: Container): Container => {
    const record = records.find((one) => one.name === container.name);
    return record?.state.kind === "running" && record.resources !== undefined
      ? { ...container, resources: record.resources }
      : container;
  };
  const { initContainers, containers } = pod.spec;
  const inits = initContainers === undefined ? {} : { initContainers: initContainers.map(allocated) };
  return { ...pod, spec: { ...pod.spec, ...inits, containers: containers.map(allocated) } };
}

/** Whose turn it is first when there is room again; as upstream's. */
export function byResizeRank(a: { pod: Pod; since: number }, b: { pod: Pod; since: number }): number {
  const priority = (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0);
  const quality = Number(qosClass(b.pod) === "Guaranteed") - Number(qosClass(a.pod) === "Guaranteed");
  return priority || quality || a.since - b.since;
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

function tooMuch(
  asked: Amounts,
  { allocatable, used }: NodeRoom,
): Extract<ResizeStep, { kind: "pending" }> | undefined {
  const of = (amounts: Amounts, name: string): number => amounts.get(name) ?? 0;
  const over = (["memory", "cpu"] as const).find((name) => of(asked, name) > of(allocatable, name));
  if (over !== undefined) {
    const [requested, capacity] = [of(asked, over), of(allocatable, over)];
    const message = `Node didn't have enough capacity: ${over}, requested: ${requested}, capacity: ${capacity}`;
    return { kind: "pending", reason: "Infeasible", message };
  }
  const others = used();
  const short = NAMES.find((name) => of(asked, name) > of(allocatable, name) - of(others, name));
  if (short === undefined) return undefined;
  const [requested, taken, capacity] = [of(asked, short), of(others, short), of(allocatable, short)];
  const message = `Node didn't have enough resource: ${short}, requested: ${requested}, used: ${taken}, capacity: ${capacity}`;
  return { kind: "pending", reason: "Deferred", message };
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

/** The condition of a resize that cannot be yet, or at all. */
export const pendingResize = ({ reason, message }: PendingResize): Omit<Condition, "lastTransitionTime"> => ({
  type: "PodResizePending",
  status: "True",
  reason,
  message,
});
