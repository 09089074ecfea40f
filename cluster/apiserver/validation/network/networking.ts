/** Ingresses, ingress classes and network policies. */
import { fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong, type KubeObject } from "@travelops/kube";
import { isIP } from "node:net";
import {
  checkText,
  cidr,
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  labelSelector,
  oneOf,
  pathSegment,
  portName,
  portNumber,
  portReference,
  requireText,
  wildcardSubdomain,
} from "../checks.ts";
import { child, type Fields, has, items, list, number, strings, text } from "../fields.ts";

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_PARTS = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS = ["/..", "/."];

function checkPath(rule: Fields, path: string, errors: Errors): void {
  if (!has(rule, "pathType")) return void errors.push(fieldRequired(`${path}.pathType`, "pathType must be specified"));
  const value = text(rule, "path");
  const type = text(rule, "pathType");
  if (type === "Exact" || type === "Prefix") {
    if (!value.startsWith("/")) errors.push(fieldInvalid(`${path}.path`, value, "must be an absolute path"));
    for (const part of BAD_PARTS)
      if (value.includes(part)) errors.push(fieldInvalid(`${path}.path`, value, `must not contain '${part}'`));
    for (const end of BAD_ENDS)
      if (value.endsWith(end)) errors.push(fieldInvalid(`${path}.path`, value, `cannot end with '${end}'`));
  } else if (type === "ImplementationSpecific") {
    if (value !== "" && !value.startsWith("/"))
      errors.push(fieldInvalid(`${path}.path`, value, "must be an absolute path"));
  } else oneOf(type, `${path}.pathType`, PATH_TYPES, errors);
}

/** An object of the same namespace, of whatever kind. */
function checkReference(reference: Fields, path: string, errors: Errors): void {
  if (has(reference, "apiGroup")) checkText(text(reference, "apiGroup"), `${path}.apiGroup`, dnsSubdomain, errors);
  for (const key of ["kind", "name"])
    if (requireText(text(reference, key), `${path}.${key}`, errors))
      checkText(text(reference, key), `${path}.${key}`, pathSegment, errors);
}

function checkBackend(backend: Fields | undefined, path: string, errors: Errors): void {
  const service = child(backend, "service");
  const resource = child(backend, "resource");
  if (service !== undefined && resource !== undefined)
    return void errors.push(fieldInvalid(path, "", "cannot set both resource and service backends"));
  if (resource !== undefined) {
    checkReference(resource, `${path}.resource`, errors);
  } else if (service === undefined) errors.push(fieldInvalid(path, "", "resource or service backend is required"));
  else checkServiceBackend(service, path, errors);
}

function checkServiceBackend(service: Fields, path: string, errors: Errors): void {
  const name = text(service, "name");
  if (requireText(name, `${path}.service.name`, errors)) checkText(name, `${path}.service.name`, dns1035Label, errors);
  const port = child(service, "port");
  const named = text(port, "name");
  const value = number(port, "number") ?? 0;
  if (named !== "" && value !== 0) errors.push(fieldInvalid(path, "", "cannot set both port name & port number"));
  else if (named !== "") checkText(named, `${path}.service.port.name`, portName, errors);
  else if (value !== 0) portNumber(value, `${path}.service.port.number`, errors);
  else errors.push(fieldRequired(path, "port name or number is required"));
}

function checkHost(host: string, path: string, errors: Errors): void {
  if (host === "") return;
  if (isIP(host) !== 0) errors.push(fieldInvalid(path, host, "must be a DNS name, not an IP address"));
  checkText(host, path, host.includes("*") ? wildcardSubdomain : dnsSubdomain, errors);
}

export function checkIngress(ingress: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(ingress, "spec");
  const legacy = ingress.metadata.annotations?.["kubernetes.io/ingress.class"];
  const className = text(spec, "ingressClassName");
  if (old === undefined && legacy !== undefined && has(spec, "ingressClassName") && legacy !== className) {
    errors.push(
      fieldInvalid(
        "annotations.kubernetes.io/ingress.class",
        legacy,
        "must match `ingressClassName` when both are specified",
      ),
    );
  }
  if (list(spec, "rules").length === 0 && !has(spec, "defaultBackend")) {
    errors.push(fieldInvalid("spec", null, "either `defaultBackend` or `rules` must be specified"));
  }
  if (has(spec, "defaultBackend")) checkBackend(child(spec, "defaultBackend"), "spec.defaultBackend", errors);
  items(spec, "rules").forEach((rule, i) => {
    const path = `spec.rules[${i}]`;
    checkHost(text(rule, "host"), `${path}.host`, errors);
    const http = child(rule, "http");
    if (http !== undefined && list(http, "paths").length === 0) errors.push(fieldRequired(`${path}.http.paths`));
    items(http, "paths").forEach((entry, j) => {
      checkPath(entry, `${path}.http.paths[${j}]`, errors);
      if (has(entry, "pathType")) checkBackend(child(entry, "backend"), `${path}.http.paths[${j}].backend`, errors);
    });
  });
  items(spec, "tls").forEach((tls, i) => {
    strings(tls, "hosts").forEach((host, j) =>
      checkText(host, `spec.tls[${i}].hosts[${j}]`, host.includes("*") ? wildcardSubdomain : dnsSubdomain, errors),
    );
    if (text(tls, "secretName") !== "")
      checkText(text(tls, "secretName"), `spec.tls[${i}].secretName`, dnsSubdomain, errors);
  });
  if (has(spec, "ingressClassName")) checkText(className, "spec.ingressClassName", dnsSubdomain, errors);
}

const LONGEST_CONTROLLER = 250;
const PATH_TEXT = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/** Who serves a class: a path of a domain. */
function checkController(controller: string, errors: Errors): void {
  const at = "spec.controller";
  if (Buffer.byteLength(controller) > LONGEST_CONTROLLER) errors.push(fieldTooLong(at, LONGEST_CONTROLLER));
  if (!requireText(controller, at, errors)) return;
  const slash = controller.indexOf("/");
  const [host, path] = [controller.slice(0, slash), controller.slice(slash + 1)];
  if (slash < 1 || path === "")
    return void errors.push(fieldInvalid(at, controller, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  checkText(host, at, dnsSubdomain, errors);
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) errors.push(fieldInvalid(at, path, PATH_TEXT));
}

export function checkIngressClass(ingressClass: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(ingressClass, "spec");
  const controller = text(spec, "controller");
  if (old !== undefined && controller !== text(child(old, "spec"), "controller"))
    errors.push(fieldInvalid("spec.controller", controller, "field is immutable"));
  checkController(controller, errors);
  const parameters = child(spec, "parameters");
  if (parameters === undefined) return;
  const path = "spec.parameters";
  checkReference(parameters, path, errors);
  oneOf(text(parameters, "scope"), `${path}.scope`, ["Cluster", "Namespace"], errors);
  if (parameters["scope"] === "Namespace") {
    if (has(parameters, "namespace")) checkText(text(parameters, "namespace"), `${path}.namespace`, dnsLabel, errors);
    else errors.push(fieldRequired(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  }
  if (parameters["scope"] === "Cluster" && has(parameters, "namespace")) {
    errors.push(fieldForbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
}

/** An IPv4 or IPv6 range as bits. */
function bits(range: string): string | undefined {
  if (cidr(range).length > 0) return undefined;
  const [address = "", length = "0"] = range.split("/");
  if (isIP(address) !== 4) return undefined;
  const all = address
    .split(".")
    .map((part) => Number(part).toString(2).padStart(8, "0"))
    .join("");
  return all.slice(0, Number(length));
}

function isStrictSubset(inner: string, outer: string): boolean {
  const [small, large] = [bits(inner), bits(outer)];
  return small === undefined || large === undefined || (small.length > large.length && small.startsWith(large));
}

function policyPort(port: Fields, path: string, errors: Errors): void {
  if (has(port, "protocol")) oneOf(port["protocol"], `${path}.protocol`, ["TCP", "UDP", "SCTP"], errors);
  const start = port["port"];
  const end = number(port, "endPort");
  const endFault = (why: string, value = end): void => void errors.push(fieldInvalid(`${path}.endPort`, value, why));
  if (end !== undefined && start === undefined) endFault("may not be specified when `port` is not specified");
  if (end !== undefined && typeof start === "string") endFault("may not be specified when `port` is non-numeric");
  if (start !== undefined) portReference(start, `${path}.port`, errors);
  if (end === undefined || typeof start !== "number") return;
  if (end < start) endFault("must be greater than or equal to `port`", start);
  portNumber(end, `${path}.endPort`, errors);
}

function policyPeer(peer: Fields, path: string, errors: Errors): void {
  const kinds = ["podSelector", "namespaceSelector", "ipBlock"].filter((key) => has(peer, key));
  for (const key of kinds.slice(0, -1).concat(kinds.slice(-1)))
    if (key !== "ipBlock") labelSelector(child(peer, key), `${path}.${key}`, errors);
  const block = child(peer, "ipBlock");
  if (block !== undefined) {
    const range = text(block, "cidr");
    if (requireText(range, `${path}.ipBlock.cidr`, errors)) checkText(range, `${path}.ipBlock.cidr`, cidr, errors);
    // What is no range has no parts.
    const parts = cidr(range).length === 0 ? strings(block, "except") : [];
    parts.forEach((except, i) => {
      const at = `${path}.ipBlock.except[${i}]`;
      checkText(except, at, cidr, errors);
      if (cidr(except).length === 0 && !isStrictSubset(except, range)) {
        errors.push(fieldInvalid(at, except, "must be a strict subset of `cidr`"));
      }
    });
  }
  if (kinds.length === 0) errors.push(fieldRequired(path, "must specify a peer"));
  else if (kinds.length > 1 && block !== undefined)
    errors.push(fieldForbidden(path, "may not specify both ipBlock and another peer"));
}

export function checkNetworkPolicy(policy: KubeObject, errors: Errors): void {
  const spec = child(policy, "spec");
  labelSelector(child(spec, "podSelector"), "spec.podSelector", errors);
  for (const [direction, peers] of [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const) {
    items(spec, direction).forEach((rule, i) => {
      items(rule, "ports").forEach((port, j) => policyPort(port, `spec.${direction}[${i}].ports[${j}]`, errors));
      items(rule, peers).forEach((peer, j) => policyPeer(peer, `spec.${direction}[${i}].${peers}[${j}]`, errors));
    });
  }
  const types = strings(spec, "policyTypes");
  if (types.length > 2)
    return void errors.push(fieldInvalid("spec.policyTypes", types, "may not specify more than two policyTypes"));
  types.forEach((type, i) => oneOf(type, `spec.policyTypes[${i}]`, ["Ingress", "Egress"], errors));
}
