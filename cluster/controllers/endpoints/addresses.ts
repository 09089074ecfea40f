/** From a Service and its pods to endpoints and ports. Pure. */
import type { Endpoint, EndpointPort, Node, Pod, Service, ServicePort } from "@travelops/kube";
import { isFinished, isReady, isTerminating } from "../shared/pods.ts";

export const isHeadless = (service: Service): boolean => service.spec.clusterIP === "None";

/** Services whose endpoints follow their pods; the others' are made by hand. */
export const followsPods = (service: Service): boolean =>
  service.spec.selector !== undefined &&
  Object.keys(service.spec.selector).length > 0 &&
  service.spec.type !== "ExternalName";

export type AddressType = "IPv4" | "IPv6";

export function addressTypes(service: Service): AddressType[] {
  const families = service.spec.ipFamilies ?? ["IPv4"];
  return families.map((family) => (family === "IPv6" ? "IPv6" : "IPv4"));
}

export function addressOf(pod: Pod, type: AddressType): string | undefined {
  const all = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP === undefined ? [] : [pod.status.podIP]);
  return all.find((ip) => ip.includes(":") === (type === "IPv6"));
}

/** The pod's number for a Service's port; undefined where it has no container port of that name. */
export function portOf(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always");
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find(
      (one) => one.name === target && (one.protocol ?? "TCP") === (port.protocol ?? "TCP"),
    );
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

export function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = portOf(port, pod);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? "",
        port: number,
        protocol: port.protocol ?? "TCP",
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

/** Whether a pod stands behind a Service at all; ready or not is said on the endpoint. */
export const hasEndpoint = (pod: Pod, type: AddressType): boolean =>
  !isFinished(pod) && addressOf(pod, type) !== undefined;

/** A pod's own name below a headless Service's. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  (pod.spec.hostname ?? "") !== "" && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

export function endpointOf(service: Service, pod: Pod, type: AddressType, node: Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameOf(service, pod);
  const zone = node?.metadata.labels?.["topology.kubernetes.io/zone"];
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [addressOf(pod, type) ?? ""],
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...((pod.spec.nodeName ?? "") === "" ? {} : { nodeName: pod.spec.nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: "Pod", name, namespace, uid },
  };
}
