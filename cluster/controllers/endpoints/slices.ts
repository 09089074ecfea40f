/** Which EndpointSlices a Service should have, changing as few of those that are there as can be. Pure. */
import type { Endpoint, EndpointPort, EndpointSlice, Node, ObjectMeta, Pod, Service } from "@travelops/kube";
import { canonicalJson, formatApiVersion, jsonEqual } from "@travelops/kube";
import { type AddressType, addressTypes, endpointOf, hasEndpoint, isHeadless, portsOf } from "./addresses.ts";

export const SERVICE_NAME = "kubernetes.io/service-name";
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslice-controller.k8s.io";
export const HEADLESS = "service.kubernetes.io/headless";
const MAX_ENDPOINTS = 100;

export interface SliceChanges {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** Endpoints that can share slices. */
export interface Group {
  readonly type: AddressType;
  readonly ports: readonly EndpointPort[];
  /** By address, which is unique within a Service. */
  readonly endpoints: Map<string, Endpoint>;
}

export const groupKey = (type: string, ports: readonly EndpointPort[] | undefined): string =>
  `${type} ${canonicalJson((ports ?? []).map(({ name = "", port, protocol, appProtocol }) => ({ name, port, protocol, appProtocol })).toSorted((a, b) => (a.name < b.name ? -1 : 1)))}`;

const addressKey = (endpoint: Endpoint): string => endpoint.addresses[0] ?? "";

function groupsOf(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const type of addressTypes(service)) {
    for (const pod of pods) {
      if (!hasEndpoint(pod, type)) continue;
      const ports = portsOf(service, pod);
      const key = groupKey(type, ports);
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { type, ports, endpoints: new Map() }));
      const endpoint = endpointOf(service, pod, type, nodeOf(pod.spec.nodeName ?? ""));
      const known = group.endpoints.get(addressKey(endpoint));
      // An address can pass from a pod that ends to its successor: the living one counts.
      if (known === undefined || known.conditions?.terminating === true)
        group.endpoints.set(addressKey(endpoint), endpoint);
    }
  }
  for (const type of addressTypes(service)) {
    // A Service without pods has one empty slice, so that readers can tell "none" from "not yet".
    if ([...groups.values()].some((group) => group.type === type)) continue;
    groups.set(groupKey(type, []), { type, ports: [], endpoints: new Map() });
  }
  return groups;
}

/** Labels of the Service, as far as they are not the controller's own. */
function labelsOf(service: Service): Record<string, string> {
  const { [HEADLESS]: _, ...labels } = service.metadata.labels ?? {};
  return {
    ...labels,
    [SERVICE_NAME]: service.metadata.name ?? "",
    [MANAGED_BY]: MANAGER,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
  };
}

/** `existing` are the slices of this Service that this controller manages. */
export function planSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  nodeOf: (name: string) => Node | undefined,
): SliceChanges {
  const { name = "", namespace, uid = "" } = service.metadata;
  return fitSlices(groupsOf(service, pods, nodeOf), existing, {
    generateName: `${name}-`,
    namespace,
    labels: labelsOf(service),
    ownerReferences: [{ apiVersion: "v1", kind: "Service", name, uid, controller: true, blockOwnerDeletion: true }],
  });
}

/** Brings `existing` to hold `groups`; labels and annotations of all, and new ones whole, are as `metadata` has them. */
export function fitSlices(
  groups: ReadonlyMap<string, Group>,
  existing: readonly EndpointSlice[],
  metadata: ObjectMeta,
): SliceChanges {
  const { labels, annotations } = metadata;
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove = new Set(existing);
  for (const [key, group] of groups) {
    const slices = existing.filter((slice) => groupKey(slice.addressType, slice.ports) === key);
    for (const { slice, endpoints } of distribute(group, slices)) {
      if (slice === undefined) {
        create.push(newSlice(metadata, group, endpoints));
        continue;
      }
      remove.delete(slice);
      const isMarked = annotations === undefined || jsonEqual(slice.metadata.annotations ?? {}, annotations);
      if (jsonEqual(known(slice), endpoints) && jsonEqual(slice.metadata.labels, labels) && isMarked) continue;
      const marks = annotations === undefined ? { labels } : { labels, annotations };
      update.push({ ...slice, metadata: { ...slice.metadata, ...marks }, endpoints });
    }
  }
  return { create, update, remove: [...remove] };
}

/** Go writes an empty list as null. */
const known = (slice: EndpointSlice): Endpoint[] => (slice.endpoints as Endpoint[] | null) ?? [];

interface Filled {
  readonly slice: EndpointSlice | undefined;
  readonly endpoints: Endpoint[];
}

/** Endpoints stay in the slice they are in; new ones fill what has room; what is left makes new slices. */
function distribute(group: Group, slices: readonly EndpointSlice[]): Filled[] {
  const left = new Map(group.endpoints);
  const filled: Filled[] = slices.map((slice) => ({ slice, endpoints: takeKnown(slice, left) }));
  const fresh = [...left.values()];
  for (const { endpoints } of filled.toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
    endpoints.push(...fresh.splice(0, MAX_ENDPOINTS - endpoints.length));
  }
  while (fresh.length > 0) filled.push({ slice: undefined, endpoints: fresh.splice(0, MAX_ENDPOINTS) });
  const used = filled.filter(({ endpoints }) => endpoints.length > 0);
  if (used.length > 0) return used;
  return group.endpoints.size === 0 ? [filled[0] ?? { slice: undefined, endpoints: [] }] : [];
}

function takeKnown(slice: EndpointSlice, left: Map<string, Endpoint>): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const old of known(slice)) {
    const now = left.get(addressKey(old));
    if (now === undefined || endpoints.length >= MAX_ENDPOINTS) continue;
    left.delete(addressKey(old));
    endpoints.push(now);
  }
  return endpoints;
}

const newSlice = (metadata: ObjectMeta, group: Group, endpoints: Endpoint[]): EndpointSlice => ({
  apiVersion: formatApiVersion("discovery.k8s.io", "v1"),
  kind: "EndpointSlice",
  metadata,
  addressType: group.type,
  endpoints,
  ports: [...group.ports],
});
