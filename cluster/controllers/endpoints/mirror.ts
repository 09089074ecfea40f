/** Which EndpointSlices stand for Endpoints that somebody wrote by hand. Pure. */
import { isIPv4, isIPv6 } from "node:net";
import type { Endpoint, EndpointAddress, EndpointPort, Endpoints, EndpointSlice, Service } from "@travelops/kube";
import { fitSlices, type Group, groupKey, MANAGED_BY, SERVICE_NAME, type SliceChanges } from "./slices.ts";

export const MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
const NOT_COPIED: ReadonlySet<string> = new Set([
  "endpoints.kubernetes.io/last-change-trigger-time",
  "kubectl.kubernetes.io/last-applied-configuration",
]);
/** Of each subset; further addresses are left out. */
const MAX_ADDRESSES = 1000;

/** Only those of a Service without a selector: the others' slices follow its pods. */
export function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  const { labels, annotations, deletionTimestamp } = endpoints.metadata;
  if (deletionTimestamp !== undefined || labels?.[SKIP] === "true" || annotations?.[LEADER] !== undefined) return false;
  return service !== undefined && service.spec.selector === undefined;
}

function mirroredEndpoint({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...((hostname ?? "") === "" ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function groupsOf(endpoints: Endpoints): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const subset of endpoints.subsets ?? []) {
    const ports: EndpointPort[] = (subset.ports ?? []).map((port) => ({
      ...port,
      name: port.name ?? "",
      protocol: port.protocol ?? "TCP",
    }));
    const all = [
      ...(subset.addresses ?? []).map((address) => mirroredEndpoint(address, true)),
      ...(subset.notReadyAddresses ?? []).map((address) => mirroredEndpoint(address, false)),
    ];
    for (const endpoint of all.slice(0, MAX_ADDRESSES)) {
      const [address = ""] = endpoint.addresses;
      const type = isIPv4(address) ? "IPv4" : isIPv6(address) ? "IPv6" : undefined;
      if (type === undefined) continue;
      const key = groupKey(type, ports);
      const group = groups.get(key) ?? { type, ports, endpoints: new Map<string, Endpoint>() };
      groups.set(key, group);
      if (!group.endpoints.has(address)) group.endpoints.set(address, endpoint);
    }
  }
  return groups;
}

/** `existing` are the slices that were mirrored from these Endpoints. */
export function planMirror(endpoints: Endpoints, existing: readonly EndpointSlice[]): SliceChanges {
  const { name = "", namespace, uid = "", labels, annotations = {} } = endpoints.metadata;
  return fitSlices(groupsOf(endpoints), existing, {
    generateName: `${name}-`,
    namespace,
    labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MIRROR_MANAGER },
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => !NOT_COPIED.has(key))),
    ownerReferences: [{ apiVersion: "v1", kind: "Endpoints", name, uid, controller: true, blockOwnerDeletion: true }],
  });
}
