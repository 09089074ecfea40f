/** Services. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
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
  requireText,
} from "../checks.ts";
import { reachable } from "./endpoints.ts";
import { checkAddressChange, checkClusterAddresses, isHeadless } from "./service-addresses.ts";
import { child, type Fields, has, items, list, number, strings, text } from "../fields.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

function checkPort(port: Fields, path: string, many: boolean, names: Set<string>, errors: Errors): void {
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
  portReference(port["targetPort"], `${path}.targetPort`, errors);
  if (has(port, "appProtocol")) checkText(text(port, "appProtocol"), `${path}.appProtocol`, qualifiedName, errors);
}

function checkExternalName(spec: Fields, errors: Errors): void {
  for (const key of ["clusterIPs", "ipFamilies"])
    if (list(spec, key).length > 0)
      errors.push(fieldForbidden(`spec.${key}`, "may not be set for ExternalName services"));
  if (has(spec, "ipFamilyPolicy"))
    errors.push(fieldForbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services"));
  const name = text(spec, "externalName").replace(/\.$/, "");
  if (requireText(name, "spec.externalName", errors)) checkText(name, "spec.externalName", dnsSubdomain, errors);
}

function checkPorts(spec: Fields, errors: Errors): void {
  const type = spec["type"];
  const ports = items(spec, "ports");
  if (ports.length === 0 && !isHeadless(spec) && type !== "ExternalName") errors.push(fieldRequired("spec.ports"));
  if (isHeadless(spec) && (type === "LoadBalancer" || type === "NodePort"))
    errors.push(fieldInvalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`));
  if (type === "ExternalName") checkExternalName(spec, errors);
  const names = new Set<string>();
  ports.forEach((port, i) => checkPort(port, `spec.ports[${i}]`, ports.length > 1, names, errors));
}

function checkAffinity(spec: Fields, errors: Errors): void {
  const kind = text(spec, "sessionAffinity");
  const at = "spec.sessionAffinityConfig";
  if (requireText(kind, "spec.sessionAffinity", errors))
    oneOf(kind, "spec.sessionAffinity", ["ClientIP", "None"], errors);
  if (kind === "None" && has(spec, "sessionAffinityConfig"))
    errors.push(fieldForbidden(at, "must not be set when session affinity is None"));
  if (kind !== "ClientIP") return;
  const config = child(spec, "sessionAffinityConfig");
  const client = child(config, "clientIP");
  const seconds = number(client, "timeoutSeconds");
  const needed = (path: string): void =>
    void errors.push(fieldRequired(path, "when session affinity type is ClientIP"));
  if (config === undefined) needed(at);
  else if (client === undefined) needed(`${at}.clientIP`);
  else if (seconds === undefined) needed(`${at}.clientIP.timeoutSeconds`);
  else if (seconds <= 0 || seconds > 86_400)
    errors.push(fieldInvalid(`${at}.clientIP.timeoutSeconds`, seconds, "must be greater than 0 and less than 86400"));
}

function externalAddresses(spec: Fields, before: Fields | undefined, errors: Errors): void {
  const held = strings(before, "externalIPs");
  strings(spec, "externalIPs").forEach((ip, i) => {
    const at = `spec.externalIPs[${i}]`;
    if (!held.includes(ip) && ipAddress(ip).length > 0) checkText(ip, at, ipAddress, errors);
    else reachable(ip, at, errors);
  });
}

/** What may stand once alone: a node's port, and a port of the Service, each with its protocol. */
function checkTwice(spec: Fields, errors: Errors): void {
  const ports = items(spec, "ports");
  if (spec["type"] === "ClusterIP")
    ports.forEach((port, i) => {
      if ((number(port, "nodePort") ?? 0) !== 0)
        errors.push(fieldForbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    });
  const seen = new Set<string>();
  ports.forEach((port, i) => {
    const nodePort = number(port, "nodePort") ?? 0;
    const key = `${text(port, "protocol")}/${nodePort}`;
    if (nodePort !== 0 && seen.has(key)) errors.push(fieldDuplicate(`spec.ports[${i}].nodePort`, nodePort));
    seen.add(key);
  });
  const used = new Set<string>();
  ports.forEach((port, i) => {
    const [Protocol, Port] = [text(port, "protocol"), number(port, "port") ?? 0];
    const shown = { Name: "", Protocol, AppProtocol: null, Port, TargetPort: 0, NodePort: 0 };
    if (used.has(`${Protocol}/${Port}`)) errors.push(fieldDuplicate(`spec.ports[${i}]`, shown));
    used.add(`${Protocol}/${Port}`);
  });
}

const ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'";

function checkBalancer(service: KubeObject, spec: Fields, before: Fields | undefined, errors: Errors): void {
  const balanced = spec["type"] === "LoadBalancer";
  const ranges = strings(spec, "loadBalancerSourceRanges");
  const at = "spec.LoadBalancerSourceRanges";
  const noted = service.metadata.annotations?.[SOURCE_RANGES];
  if (ranges.length > 0) {
    if (!balanced) errors.push(fieldForbidden(at, ONLY_BALANCED));
    const held = strings(before, "loadBalancerSourceRanges").map((range) => range.trim());
    ranges.forEach((range, i) => {
      if (!held.includes(range.trim())) checkText(range.trim(), `${at}[${i}]`, cidr, errors);
    });
  } else if (noted !== undefined && !balanced)
    errors.push(fieldForbidden(`metadata.annotations[${SOURCE_RANGES}]`, ONLY_BALANCED));
  if (has(spec, "allocateLoadBalancerNodePorts") && !balanced)
    errors.push(fieldForbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCED));
  balancerClass(spec, errors);
}

function balancerClass(spec: Fields, errors: Errors): void {
  if (!has(spec, "loadBalancerClass")) return;
  const at = "spec.loadBalancerClass";
  if (spec["type"] === "LoadBalancer") checkText(text(spec, "loadBalancerClass"), at, qualifiedName, errors);
  else errors.push(fieldForbidden(at, ONLY_BALANCED));
}

const POLICIES = ["Cluster", "Local"];

function checkTraffic(spec: Fields, errors: Errors): void {
  const type = text(spec, "type");
  const policy = text(spec, "externalTrafficPolicy");
  const balanced = type === "LoadBalancer";
  const external = type === "NodePort" || balanced || (type === "ClusterIP" && list(spec, "externalIPs").length > 0);
  const at = "spec.externalTrafficPolicy";
  if (external) {
    if (requireText(policy, at, errors)) oneOf(policy, at, POLICIES, errors);
  } else if (policy !== "") errors.push(fieldInvalid(at, policy, "may only be set for externally-accessible services"));
  const health = number(spec, "healthCheckNodePort") ?? 0;
  const path = "spec.healthCheckNodePort";
  if (balanced && policy === "Local") {
    if (health === 0) errors.push(fieldRequired(path));
    else portNumber(health, path, errors);
  } else if (health !== 0)
    errors.push(
      fieldInvalid(
        path,
        health,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  if (has(spec, "internalTrafficPolicy"))
    oneOf(spec["internalTrafficPolicy"], "spec.internalTrafficPolicy", POLICIES, errors);
  else if (external || type === "ClusterIP") errors.push(fieldRequired("spec.internalTrafficPolicy"));
  if (has(spec, "trafficDistribution"))
    oneOf(
      spec["trafficDistribution"],
      "spec.trafficDistribution",
      ["PreferClose", "PreferSameZone", "PreferSameNode"],
      errors,
    );
}

function checkUpdate(service: KubeObject, old: KubeObject, errors: Errors): void {
  const [spec, before] = [child(service, "spec") ?? {}, child(old, "spec") ?? {}];
  checkAddressChange(service, old, errors);
  const balanced = spec["type"] === "LoadBalancer" && before["type"] === "LoadBalancer";
  if (balanced && spec["loadBalancerClass"] !== before["loadBalancerClass"])
    errors.push(fieldInvalid("spec.loadBalancerClass", spec["loadBalancerClass"] ?? null, "may not change once set"));
  balancerClass(spec, errors);
  const local = [spec, before].every((of) => of["externalTrafficPolicy"] === "Local");
  if (balanced && local && spec["healthCheckNodePort"] !== before["healthCheckNodePort"])
    errors.push(fieldForbidden("spec.healthCheckNodePort", "field is immutable"));
}

const HINTS = "service.kubernetes.io/topology-aware-hints";
const MODE = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";

function checkAnnotations(service: KubeObject, errors: Errors): void {
  const { [HINTS]: hints, [MODE]: mode } = service.metadata.annotations ?? {};
  if (hints !== undefined && mode !== undefined && hints !== mode)
    errors.push(
      fieldInvalid(`metadata.annotations[${MODE}]`, mode, `must match annotations[${HINTS}] when both are specified`),
    );
}

export function checkService(service: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(service, "spec") ?? {};
  const before = child(old, "spec");
  if (old !== undefined) checkUpdate(service, old, errors);
  checkAnnotations(service, errors);
  checkPorts(spec, errors);
  checkLabels(spec, "selector", "spec.selector", errors);
  checkAffinity(spec, errors);
  checkClusterAddresses(spec, before, errors);
  externalAddresses(spec, before, errors);
  const type = text(spec, "type");
  if (requireText(type, "spec.type", errors)) oneOf(type, "spec.type", TYPES, errors);
  checkTwice(spec, errors);
  checkBalancer(service, spec, before, errors);
  checkTraffic(spec, errors);
}
