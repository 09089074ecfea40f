/** Endpoints and endpoint slices: addresses that can be reached, and their ports. */
import { fieldDuplicate, fieldInvalid, fieldRequired, fieldTooMany, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { isIP } from "node:net";
import {
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  ipAddress,
  labelValue,
  oneOf,
  portNumber,
  qualifiedName,
  requireText,
  type TextCheck,
} from "../checks.ts";
import { child, type Fields, has, items, list, number, strings, text } from "../fields.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const FAMILIES = ["IPv4", "IPv6"];
const LOOPBACK_TEXT = "may not be in the loopback range (127.0.0.0/8, ::1/128)";

const isLoopback = (ip: string): boolean => ip.startsWith("127.") || ip === "::1";
const isLinkLocal = (ip: string): boolean => ip.startsWith("169.254.") || /^fe[89ab]/i.test(ip);
const isLinkLocalMulticast = (ip: string): boolean => ip.startsWith("224.0.0.") || /^ff02:/i.test(ip);

/** Addresses that other machines can reach. */
export function reachable(ip: string, path: string, errors: Errors): void {
  if (ipAddress(ip).length > 0) return void errors.push(fieldInvalid(path, ip, "must be a valid IP address"));
  if (ip === "0.0.0.0" || ip === "::") errors.push(fieldInvalid(path, ip, `may not be unspecified (${ip})`));
  if (isLoopback(ip)) errors.push(fieldInvalid(path, ip, LOOPBACK_TEXT));
  if (isLinkLocal(ip))
    errors.push(fieldInvalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  if (isLinkLocalMulticast(ip))
    errors.push(fieldInvalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
}

function checkPort(port: Fields, at: string, errors: Errors): void {
  if (requireText(text(port, "protocol"), `${at}.protocol`, errors))
    oneOf(text(port, "protocol"), `${at}.protocol`, PROTOCOLS, errors);
  if (has(port, "appProtocol")) checkText(text(port, "appProtocol"), `${at}.appProtocol`, qualifiedName, errors);
}

function endpointPorts(subset: Fields, path: string, errors: Errors): void {
  const ports = items(subset, "ports");
  ports.forEach((port, i) => {
    const at = `${path}.ports[${i}]`;
    if (text(port, "name") !== "") checkText(text(port, "name"), `${at}.name`, dnsLabel, errors);
    else if (ports.length > 1) errors.push(fieldRequired(`${at}.name`));
    portNumber(number(port, "port") ?? 0, `${at}.port`, errors);
    checkPort(port, at, errors);
  });
}

function endpointAddress(address: Fields, at: string, errors: Errors): void {
  checkText(text(address, "ip"), `${at}.ip`, ipAddress, errors);
  if (text(address, "hostname") !== "") checkText(text(address, "hostname"), `${at}.hostname`, dnsLabel, errors);
  if (has(address, "nodeName")) checkText(text(address, "nodeName"), `${at}.nodeName`, dnsSubdomain, errors);
  reachable(text(address, "ip"), `${at}.ip`, errors);
}

export function checkEndpoints(endpoints: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (old !== undefined && equalJson(endpoints["subsets"] ?? [], old["subsets"] ?? [])) return;
  items(endpoints, "subsets").forEach((subset, i) => {
    const path = `subsets[${i}]`;
    if (list(subset, "addresses").length === 0 && list(subset, "notReadyAddresses").length === 0) {
      errors.push(fieldRequired(path, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (const key of ["addresses", "notReadyAddresses"])
      items(subset, key).forEach((address, j) => endpointAddress(address, `${path}.${key}[${j}]`, errors));
    endpointPorts(subset, path, errors);
  });
}

/** A name of a host whose domain is named, too. */
function qualifiedDomain(value: string, path: string, errors: Errors): void {
  if (!requireText(value, path, errors)) return;
  const name = value.replace(/\.$/, "");
  const faults = dnsSubdomain(name);
  if (faults.length > 0) errors.push(fieldInvalid(path, name, faults.join(",")));
  else if (!name.includes("."))
    errors.push(fieldInvalid(path, name, "should be a domain with at least two segments separated by dots"));
  else for (const label of name.split(".")) checkText(label, path, dnsLabel, errors);
}

function sliceAddress(ip: string, type: string, path: string, index: number, errors: Errors): void {
  const at = `${path}.addresses[${index}]`;
  if (type === "FQDN") return qualifiedDomain(ip, at, errors);
  if (!FAMILIES.includes(type)) return;
  if (ipAddress(ip).length > 0) return checkText(ip, at, ipAddress, errors);
  if ((isIP(ip) === 6) !== (type === "IPv6"))
    errors.push(fieldInvalid(`${path}.addresses`, ip, `must be an ${type} address`));
  reachable(ip, at, errors);
}

const MOST_HINTS = 8;

function hintNames(hints: Fields, kind: string, path: string, check: TextCheck, errors: Errors): boolean {
  const named = items(hints, kind);
  if (named.length > MOST_HINTS) {
    errors.push(fieldTooMany(`${path}.${kind}`, named.length, MOST_HINTS));
    return false;
  }
  const seen = new Set<string>();
  named.forEach((hint, i) => {
    const name = text(hint, "name");
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}.${kind}[${i}].name`, name));
    seen.add(name);
    checkText(name, `${path}.${kind}[${i}].name`, check, errors);
  });
  return true;
}

const MOST_ADDRESSES = 100;

function sliceEndpoint(endpoint: Fields, type: string, path: string, errors: Errors): void {
  const addresses = strings(endpoint, "addresses");
  if (addresses.length === 0) errors.push(fieldRequired(`${path}.addresses`, "must contain at least 1 address"));
  if (addresses.length > MOST_ADDRESSES)
    errors.push(fieldTooMany(`${path}.addresses`, addresses.length, MOST_ADDRESSES));
  addresses.forEach((ip, j) => sliceAddress(ip, type, path, j, errors));
  if (has(endpoint, "nodeName")) checkText(text(endpoint, "nodeName"), `${path}.nodeName`, dnsSubdomain, errors);
  if (has(endpoint, "hostname")) checkText(text(endpoint, "hostname"), `${path}.hostname`, dnsLabel, errors);
  const hints = child(endpoint, "hints");
  if (hints !== undefined && hintNames(hints, "forZones", `${path}.hints`, labelValue, errors))
    hintNames(hints, "forNodes", `${path}.hints`, dnsSubdomain, errors);
}

const MOST_ENDPOINTS = 1000;
const MOST_PORTS = 20_000;

function slicePorts(slice: KubeObject, errors: Errors): void {
  const ports = items(slice, "ports");
  if (ports.length > MOST_PORTS) return void errors.push(fieldTooMany("ports", ports.length, MOST_PORTS));
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const name = text(port, "name");
    if (name !== "") checkText(name, `ports[${i}].name`, dnsLabel, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`ports[${i}].name`, name));
    names.add(name);
    const at = `ports[${i}]`;
    if (has(port, "protocol")) oneOf(port["protocol"], `${at}.protocol`, PROTOCOLS, errors);
    else errors.push(fieldRequired(`${at}.protocol`));
    if (has(port, "appProtocol")) checkText(text(port, "appProtocol"), `${at}.appProtocol`, qualifiedName, errors);
  });
}

export function checkEndpointSlice(slice: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const type = text(slice, "addressType");
  if (requireText(type, "addressType", errors)) oneOf(type, "addressType", ["FQDN", ...FAMILIES], errors);
  slicePorts(slice, errors);
  const endpoints = items(slice, "endpoints");
  if (endpoints.length > MOST_ENDPOINTS) errors.push(fieldTooMany("endpoints", endpoints.length, MOST_ENDPOINTS));
  else if (old === undefined || !equalJson(slice["endpoints"] ?? null, old["endpoints"] ?? null))
    endpoints.forEach((endpoint, i) => sliceEndpoint(endpoint, type, `endpoints[${i}]`, errors));
  if (old !== undefined && !equalJson(slice["addressType"], old["addressType"]))
    errors.push(fieldInvalid("addressType", type, "field is immutable"));
}
