/** Services, endpoints and endpoint slices. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { isIP } from "node:net";
import {
  checkLabels,
  checkText,
  cidr,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  ipAddress,
  oneOf,
  portNumber,
  portReference,
  qualifiedName,
} from "./checks.ts";
import { reachable } from "./endpoints.ts";
import { child, type Fields, has, items, list, number, strings, text } from "./fields.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const FAMILIES = ["IPv4", "IPv6"];

function checkPort(
  port: Fields,
  path: string,
  many: boolean,
  headless: boolean,
  names: Set<string>,
  errors: Errors,
): void {
  const name = text(port, "name");
  if (many && name === "") errors.push(fieldRequired(`${path}.name`));
  else if (name !== "") {
    checkText(name, `${path}.name`, dnsLabel, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name));
    names.add(name);
  }
  portNumber(number(port, "port") ?? 0, `${path}.port`, errors);
  if (text(port, "protocol") === "") errors.push(fieldRequired(`${path}.protocol`));
  else oneOf(text(port, "protocol"), `${path}.protocol`, PROTOCOLS, errors);
  // Headless services may leave it open.
  if (!headless || (port["targetPort"] ?? 0) !== 0) portReference(port["targetPort"], `${path}.targetPort`, errors);
  if (has(port, "appProtocol")) checkText(text(port, "appProtocol"), `${path}.appProtocol`, qualifiedName, errors);
}

function checkPorts(spec: Fields, headless: boolean, errors: Errors): void {
  const ports = items(spec, "ports");
  if (ports.length === 0 && !headless && spec["type"] !== "ExternalName") errors.push(fieldRequired("spec.ports"));
  const names = new Set<string>();
  ports.forEach((port, i) => checkPort(port, `spec.ports[${i}]`, ports.length > 1, headless, names, errors));
  if (spec["type"] === "ClusterIP") {
    ports.forEach((port, i) => {
      if ((number(port, "nodePort") ?? 0) !== 0)
        errors.push(fieldForbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    });
  }
  const seen = new Set<string>();
  ports.forEach((port, i) => {
    const key = `${text(port, "protocol")}/${number(port, "port")}`;
    const shown = {
      Name: "",
      Protocol: text(port, "protocol"),
      AppProtocol: null,
      Port: number(port, "port") ?? 0,
      TargetPort: 0,
      NodePort: 0,
    };
    if (seen.has(key)) errors.push(fieldDuplicate(`spec.ports[${i}]`, shown));
    seen.add(key);
  });
}

function checkType(spec: Fields, errors: Errors): void {
  const type = text(spec, "type");
  if (type === "ExternalName") {
    const name = text(spec, "externalName").replace(/\.$/, "");
    if (name === "") errors.push(fieldRequired("spec.externalName"));
    else checkText(name, "spec.externalName", dnsSubdomain, errors);
    if (text(spec, "clusterIP") !== "" || list(spec, "clusterIPs").length > 0) {
      errors.push(fieldForbidden("spec.clusterIPs", "may not be set for ExternalName services"));
    }
  } else oneOf(type, "spec.type", TYPES, errors);
  if (type === "NodePort" && text(spec, "clusterIP") === "None")
    errors.push(fieldInvalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"));
  if (type === "LoadBalancer" && text(spec, "clusterIP") === "None")
    errors.push(fieldInvalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"));
}

function checkAddresses(spec: Fields, errors: Errors): void {
  const address = text(spec, "clusterIP");
  const addresses = strings(spec, "clusterIPs");
  if (address === "" && addresses.length > 0 && spec["type"] !== "ExternalName") {
    errors.push(fieldInvalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"));
  } else if (address !== "" && addresses.length > 0 && addresses[0] !== address) {
    errors.push(fieldInvalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"));
  }
  const all = addresses.length > 0 ? addresses : address === "" ? [] : [address];
  all.forEach((ip, i) => {
    if (!(ip === "None" && i === 0)) checkText(ip, `spec.clusterIPs[${i}]`, ipAddress, errors);
  });
  strings(spec, "externalIPs").forEach((ip, i) => {
    const at = `spec.externalIPs[${i}]`;
    if (isIP(ip) === 0) checkText(ip, at, ipAddress, errors);
    else reachable(ip, at, errors);
  });
  strings(spec, "ipFamilies").forEach((family, i) => oneOf(family, `spec.ipFamilies[${i}]`, FAMILIES, errors));
  if (has(spec, "ipFamilyPolicy"))
    oneOf(
      spec["ipFamilyPolicy"],
      "spec.ipFamilyPolicy",
      ["PreferDualStack", "RequireDualStack", "SingleStack"],
      errors,
    );
}

function checkTraffic(spec: Fields, errors: Errors): void {
  oneOf(text(spec, "sessionAffinity"), "spec.sessionAffinity", ["ClientIP", "None"], errors);
  const seconds = number(child(child(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");
  if (seconds !== undefined && (seconds <= 0 || seconds > 86_400)) {
    errors.push(
      fieldInvalid(
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        seconds,
        "must be greater than 0 and less than 86400",
      ),
    );
  }
  const type = text(spec, "type");
  const external =
    type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && list(spec, "externalIPs").length > 0);
  if (has(spec, "externalTrafficPolicy")) {
    const at = "spec.externalTrafficPolicy";
    if (external) oneOf(spec["externalTrafficPolicy"], at, ["Cluster", "Local"], errors);
    else
      errors.push(
        fieldInvalid(at, spec["externalTrafficPolicy"], "may only be set for externally-accessible services"),
      );
  }
  if (has(spec, "internalTrafficPolicy"))
    oneOf(spec["internalTrafficPolicy"], "spec.internalTrafficPolicy", ["Cluster", "Local"], errors);
  if (has(spec, "trafficDistribution"))
    oneOf(
      spec["trafficDistribution"],
      "spec.trafficDistribution",
      ["PreferClose", "PreferSameZone", "PreferSameNode"],
      errors,
    );
}

const ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'";

function checkBalancer(spec: Fields, errors: Errors): void {
  const balanced = spec["type"] === "LoadBalancer";
  const ranges = strings(spec, "loadBalancerSourceRanges");
  if (!balanced) {
    if (ranges.length > 0) errors.push(fieldForbidden("spec.LoadBalancerSourceRanges", ONLY_BALANCED));
    for (const key of ["allocateLoadBalancerNodePorts", "loadBalancerClass"])
      if (has(spec, key)) errors.push(fieldForbidden(`spec.${key}`, ONLY_BALANCED));
  } else if (text(spec, "loadBalancerClass") !== "")
    checkText(text(spec, "loadBalancerClass"), "spec.loadBalancerClass", qualifiedName, errors);
  ranges.forEach((range, i) => checkText(range.trim(), `spec.LoadBalancerSourceRanges[${i}]`, cidr, errors));
  const health = number(spec, "healthCheckNodePort");
  if (health !== undefined && health !== 0 && !(balanced && spec["externalTrafficPolicy"] === "Local")) {
    errors.push(
      fieldInvalid(
        "spec.healthCheckNodePort",
        health,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  }
}

export function checkService(service: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(service, "spec") ?? {};
  checkPorts(spec, text(spec, "clusterIP") === "None", errors);
  checkType(spec, errors);
  checkLabels(spec, "selector", "spec.selector", errors);
  checkAddresses(spec, errors);
  checkTraffic(spec, errors);
  checkBalancer(spec, errors);
  const before = child(old, "spec");
  const held = text(before, "clusterIP");
  if (before === undefined || held === "" || spec["type"] === "ExternalName" || before["type"] === "ExternalName")
    return;
  const addresses = strings(spec, "clusterIPs");
  const next = addresses.length > 0 ? addresses : [text(spec, "clusterIP")];
  if (next[0] !== held) errors.push(fieldInvalid("spec.clusterIPs[0]", next, "may not change once set"));
}
