/** Which address `pods/NAME/proxy`, `services/NAME/proxy` and `nodes/NAME/proxy` mean. */
import { badRequest, notFound, serviceUnavailable, type KubeObject } from "@travelops/kube";
import type { ResourceRequest } from "../request/request-info.ts";
import { array, read, record, text } from "../registry/printers/printer.ts";
import type { ServerCore } from "../server-options.ts";

export interface ProxyTarget {
  readonly scheme: "http" | "https";
  readonly address: string;
  readonly port: number;
}

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`; undefined for anything else. */
export function splitName(name: string): { scheme: string; name: string; port: string } | undefined {
  const parts = name.split(":");
  const [first = "", second = "", third = ""] = parts;
  if (first === "" && parts.length !== 3) return undefined;
  if (parts.length === 1) return { scheme: "", name: first, port: "" };
  if (parts.length === 2) return { scheme: "", name: first, port: second };
  if (parts.length !== 3 || (first !== "http" && first !== "https" && first !== "") || second === "") return undefined;
  return { scheme: first, name: second, port: third };
}

const schemeOf = (scheme: string): "http" | "https" => (scheme === "https" ? "https" : "http");

/** Throws `StatusError` where there is none. `object` is the pod or Service itself. */
export function proxyTarget(core: ServerCore, info: ResourceRequest, object: KubeObject): ProxyTarget {
  const split = splitName(info.name);
  const kind = info.resource.slice(0, -1);
  if (split === undefined) throw badRequest(`invalid ${kind} request ${JSON.stringify(info.name)}`);
  const scheme = schemeOf(split.scheme);
  if (info.resource === "services") return { scheme, ...serviceEndpoint(core, info, split.port, object) };
  if (info.resource === "nodes") return { scheme, address: nodeAddress(object), port: portNumber(split.port, info) };
  const address = text(read(object, "status", "podIP"));
  if (address === "") throw badRequest("address not allowed");
  return { scheme, address, port: split.port === "" ? firstPort(object, scheme) : portNumber(split.port, info) };
}

function portNumber(port: string, info: ResourceRequest): number {
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw badRequest(`invalid ${info.resource.slice(0, -1)} request ${JSON.stringify(info.name)}`);
}

/** The first port of the pod's first container that has any, or the scheme's own. */
function firstPort(pod: KubeObject, scheme: "http" | "https"): number {
  for (const container of array(read(pod, "spec", "containers"))) {
    const port = read(array(read(container, "ports"))[0], "containerPort");
    if (typeof port === "number") return port;
  }
  return scheme === "https" ? 443 : 80;
}

function nodeAddress(node: KubeObject): string {
  const addresses = array(read(node, "status", "addresses"));
  const internal = addresses.find((address) => read(address, "type") === "InternalIP");
  const address = text(read(internal ?? addresses[0], "address"));
  if (address === "") throw serviceUnavailable(`no address is known of node ${JSON.stringify(node.metadata.name)}`);
  return address;
}

const SLICES = "endpointslices.discovery.k8s.io";

function serviceEndpoint(
  core: ServerCore,
  info: ResourceRequest,
  port: string,
  service: KubeObject,
): { address: string; port: number } {
  const name = service.metadata.name ?? "";
  const key = { table: "endpoints.", namespace: info.namespace, name };
  const wanted = /^\d+$/.test(port) ? portName(service, Number(port)) : port;
  const found: { address: string; port: number }[] = [];
  for (const { object } of core.store.list(SLICES, { namespace: info.namespace }).items) {
    if (object.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    const match = array(object["ports"]).find((each) => text(read(each, "name")) === wanted);
    const number = read(match, "port");
    if (typeof number !== "number") continue;
    for (const endpoint of array(object["endpoints"])) {
      const address = text(array(read(endpoint, "addresses"))[0]);
      if (address !== "" && record(read(endpoint, "conditions"))["ready"] !== false)
        found.push({ address, port: number });
    }
  }
  // Upstream looks at the Endpoints, which a controller makes.
  if (found.length === 0 && core.store.get(key) === undefined)
    throw notFound({ group: "", resource: "services" }, name);
  const chosen = found[Math.floor(core.random() * found.length)];
  if (chosen === undefined)
    throw serviceUnavailable(
      `no endpoints available for service ${JSON.stringify(found.length === 0 && port === "" ? name : info.name)}`,
    );
  return chosen;
}

function portName(service: KubeObject, number: number): string {
  const port = array(read(service, "spec", "ports")).find((each) => read(each, "port") === number);
  if (port === undefined)
    throw serviceUnavailable(
      `no service port ${number} found for service ${JSON.stringify(service.metadata.name ?? "")}`,
    );
  return text(read(port, "name"));
}
