/** The older Endpoints object of a Service. Pure. */
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from "@travelops/kube";
import { canonicalJson } from "@travelops/kube";
import { isReady, isTerminating } from "../shared/pods.ts";
import { addressOf, addressTypes, hasEndpoint, hostnameOf, isHeadless, portsOf } from "./addresses.ts";
import { HEADLESS } from "./slices.ts";

const MAX_ADDRESSES = 1000;

interface Group {
  readonly ports: EndpointPort[];
  readonly ready: EndpointAddress[];
  readonly notReady: EndpointAddress[];
}

const byAddress = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0);

/** Addresses with the same ports, ready and not, in a fixed order. */
function subsetsOf(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const [type = "IPv4"] = addressTypes(service);
  const everyone = service.spec.publishNotReadyAddresses === true;
  const groups = new Map<string, Group>();
  for (const pod of pods.slice(0, MAX_ADDRESSES)) {
    if (!hasEndpoint(pod, type) || (isTerminating(pod) && !everyone)) continue;
    const ports = portsOf(service, pod).map(({ name, ...port }) => (name === "" ? port : { name, ...port }));
    if (ports.length === 0 && !isHeadless(service)) continue;
    const key = canonicalJson(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, ready: [], notReady: [] }));
    (everyone || isReady(pod) ? group.ready : group.notReady).push(
      addressObject(service, pod, addressOf(pod, type) ?? ""),
    );
  }
  return [...groups.values()].map(({ ports, ready, notReady }) => ({
    ...(ready.length === 0 ? {} : { addresses: ready.toSorted(byAddress) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.toSorted(byAddress) }),
    ...(ports.length === 0 ? {} : { ports }),
  }));
}

function addressObject(service: Service, pod: Pod, ip: string): EndpointAddress {
  const hostname = hostnameOf(service, pod);
  const { name, namespace, uid } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...((pod.spec.nodeName ?? "") === "" ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: "Pod", name, namespace, uid },
  };
}

export function endpointsOf(service: Service, pods: readonly Pod[]): Endpoints {
  const subsets = subsetsOf(service, pods);
  const { [HEADLESS]: _, ...labels } = service.metadata.labels ?? {};
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: service.metadata.name,
      namespace: service.metadata.namespace,
      labels: {
        ...labels,
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
      },
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}
