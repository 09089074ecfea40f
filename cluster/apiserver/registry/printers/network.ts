import type { KubeObject } from "@travelops/kube";
import { age, AGE, array, labelsText, printer, read, record, text, type Printer } from "./printer.ts";
import { selectorText } from "./workloads.ts";

const NONE = "<none>";

const SHOWN = 3;

function some(items: readonly string[]): string {
  if (items.length === 0) return NONE;
  const shown = items.slice(0, SHOWN).join(",");
  return items.length > SHOWN ? `${shown} + ${items.length - SHOWN} more...` : shown;
}

const loadBalancer = (object: KubeObject): string =>
  array(read(object, "status", "loadBalancer", "ingress"))
    .map((ingress) => text(read(ingress, "ip"), text(read(ingress, "hostname"))))
    .filter((address) => address !== "")
    .join(",");

function externalIp(service: KubeObject): string {
  const external = array(read(service, "spec", "externalIPs")).map((ip) => text(ip));
  switch (text(read(service, "spec", "type"), "ClusterIP")) {
    case "LoadBalancer": {
      const addresses = [loadBalancer(service), ...external].filter((address) => address !== "");
      return addresses.length > 0 ? addresses.join(",") : "<pending>";
    }
    case "ExternalName":
      return text(read(service, "spec", "externalName"));
    default:
      return external.length > 0 ? external.join(",") : NONE;
  }
}

function ports(service: KubeObject): string {
  const shown = array(read(service, "spec", "ports")).map((port) => {
    const nodePort = read(port, "nodePort");
    const number = text(read(port, "port"));
    const protocol = text(read(port, "protocol"), "TCP");
    return nodePort === undefined || nodePort === 0
      ? `${number}/${protocol}`
      : `${number}:${text(nodePort)}/${protocol}`;
  });
  return shown.length > 0 ? shown.join(",") : NONE;
}

export const services: Printer = printer(
  [["Type"], ["Cluster-IP"], ["External-IP"], ["Port(s)"], AGE],
  [["Selector"]],
  (service, now) => [
    text(read(service, "spec", "type"), "ClusterIP"),
    text(read(service, "spec", "clusterIP")) || NONE,
    externalIp(service),
    ports(service),
    age(service, now),
    labelsText(read(service, "spec", "selector")),
  ],
);

export const endpoints: Printer = printer([["Endpoints"], AGE], [], (object, now) => {
  const all = array(object["subsets"]).flatMap((subset) => {
    const addresses = array(read(subset, "addresses")).map((address) => text(read(address, "ip")));
    const numbers = array(read(subset, "ports")).map((port) => text(read(port, "port")));
    if (numbers.length === 0) return addresses;
    return numbers.flatMap((port) => addresses.map((address) => `${address}:${port}`));
  });
  return [some(all), age(object, now)];
});

export const endpointSlices: Printer = printer([["AddressType"], ["Ports"], ["Endpoints"], AGE], [], (object, now) => {
  const numbers = array(object["ports"]).map((port) => text(read(port, "port"), "*"));
  const addresses = array(object["endpoints"]).flatMap((endpoint) =>
    array(read(endpoint, "addresses")).map((a) => text(a)),
  );
  return [
    text(object["addressType"]),
    numbers.length === 0 ? "<unset>" : some(numbers),
    addresses.length === 0 ? "<unset>" : some(addresses),
    age(object, now),
  ];
});

export const ingresses: Printer = printer([["Class"], ["Hosts"], ["Address"], ["Ports"], AGE], [], (object, now) => {
  const hosts = array(read(object, "spec", "rules"))
    .map((rule) => text(read(rule, "host")))
    .filter((host) => host !== "");
  const annotated = object.metadata.annotations?.["kubernetes.io/ingress.class"];
  return [
    text(read(object, "spec", "ingressClassName"), annotated ?? NONE),
    hosts.length === 0 ? "*" : some(hosts),
    loadBalancer(object),
    array(read(object, "spec", "tls")).length > 0 ? "80, 443" : "80",
    age(object, now),
  ];
});

export const ingressClasses: Printer = printer([["Controller"], ["Parameters"], AGE], [], (object, now) => {
  const parameters = record(read(object, "spec", "parameters"));
  const group = text(parameters["apiGroup"]);
  const kind = group === "" ? text(parameters["kind"]) : `${text(parameters["kind"])}.${group}`;
  return [
    text(read(object, "spec", "controller")),
    parameters["name"] === undefined ? NONE : `${kind}/${text(parameters["name"])}`,
    age(object, now),
  ];
});

export const networkPolicies: Printer = printer([["Pod-Selector"], AGE], [], (object, now) => [
  selectorText(read(object, "spec", "podSelector")),
  age(object, now),
]);

export const ipAddresses: Printer = printer([["ParentRef"]], [], (object) => {
  const parent = record(read(object, "spec", "parentRef"));
  const group = text(parent["group"]);
  return [
    `${text(parent["resource"])}${group === "" ? "" : `.${group}`}/${text(parent["namespace"])}/${text(parent["name"])}`,
  ];
});

export const serviceCidrs: Printer = printer([["CIDRs"], AGE], [], (object, now) => [
  array(read(object, "spec", "cidrs"))
    .map((cidr) => text(cidr))
    .join(","),
  age(object, now),
]);
