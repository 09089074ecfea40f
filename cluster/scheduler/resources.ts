/** What pods ask of a node, and what a node has to give. Pure. */
import type { Container, Node, Pod, ResourceRequirements } from "@travelops/kube";
import { quantityMilli, quantityValue, tryParseQuantity } from "@travelops/kube";

/** Thousandths of a CPU; bytes; whole numbers of everything else. */
export type Amounts = ReadonlyMap<string, number>;

function amount(resource: string, text: string): number {
  const quantity = tryParseQuantity(text);
  if (quantity === undefined) return 0;
  return Number(resource === "cpu" ? quantityMilli(quantity) : quantityValue(quantity));
}

export function amounts(list: Readonly<Record<string, string>> | undefined): Map<string, number> {
  return new Map(Object.entries(list ?? {}).map(([resource, text]) => [resource, amount(resource, text)]));
}

function add(total: Map<string, number>, more: Amounts): void {
  for (const [resource, value] of more) total.set(resource, (total.get(resource) ?? 0) + value);
}

function raise(total: Map<string, number>, floor: Amounts): void {
  for (const [resource, value] of floor) total.set(resource, Math.max(total.get(resource) ?? 0, value));
}

const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

const requestsOf = (container: { resources?: ResourceRequirements }): Map<string, number> =>
  amounts(container.resources?.requests);

const cache = new WeakMap<Pod, Amounts>();

/** What the pod holds or is about to hold: as `specRequests`, but a container that is being resized counts with the more. */
export function podRequests(pod: Pod): Amounts {
  const known = cache.get(pod);
  if (known !== undefined) return known;
  const total = specRequests(heldPod(pod));
  cache.set(pod, total);
  return total;
}

/** Containers with what they have been given, where that is more than they ask for, or they cannot have that at all. */
function heldPod(pod: Pod): Pod {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  if (
    statuses.every(({ allocatedResources, resources }) => allocatedResources === undefined && resources === undefined)
  )
    return pod;
  const isInfeasible =
    pod.status?.conditions?.some(({ type, reason }) => type === "PodResizePending" && reason === "Infeasible") === true;
  const held = (container: Container): Container => {
    const status = statuses.find(({ name }) => name === container.name);
    if (status === undefined) return container;
    const given = [status.allocatedResources, status.resources?.requests];
    const requests = most([...(isInfeasible ? [] : [container.resources?.requests]), ...given]);
    return { ...container, resources: { ...container.resources, requests } };
  };
  const { initContainers, containers } = pod.spec;
  const inits = initContainers === undefined ? {} : { initContainers: initContainers.map(held) };
  return { ...pod, spec: { ...pod.spec, ...inits, containers: containers.map(held) } };
}

function most(lists: readonly (Readonly<Record<string, string>> | undefined)[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const list of lists)
    for (const [resource, text] of Object.entries(list ?? {}))
      if (amount(resource, text) >= amount(resource, found[resource] ?? "0")) found[resource] = text;
  return found;
}

/**
 * The most that the pod needs at any time: all containers and sidecars together, or an init container with the
 * sidecars started before it; what the pod as a whole states counts in their stead; plus its overhead.
 */
export function specRequests(pod: Pod): Amounts {
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) add(total, requestsOf(container));
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of pod.spec.initContainers ?? []) {
    const own = requestsOf(container);
    if (isSidecar(container)) {
      add(sidecars, own);
      raise(peak, sidecars);
    } else {
      add(own, sidecars);
      raise(peak, own);
    }
  }
  add(total, sidecars);
  raise(total, peak);
  for (const [resource, value] of amounts(pod.spec.resources?.requests)) total.set(resource, value);
  add(total, amounts(pod.spec.overhead));
  return total;
}

/** For scoring only: pods that state nothing still weigh something. */
const ASSUMED_CPU = 100;
const ASSUMED_MEMORY = 200 * 1024 * 1024;

export function weightOf(pod: Pod, resource: "cpu" | "memory"): number {
  const stated = podRequests(pod).get(resource) ?? 0;
  return stated > 0 ? stated : resource === "cpu" ? ASSUMED_CPU : ASSUMED_MEMORY;
}

const DEFAULT_PODS = 110;

export function allocatableOf(node: Node): Map<string, number> {
  const list = amounts(node.status?.allocatable ?? node.status?.capacity);
  if (!list.has("pods")) list.set("pods", DEFAULT_PODS);
  return list;
}
