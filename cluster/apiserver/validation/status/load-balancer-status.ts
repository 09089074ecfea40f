/** Addresses that a Service or an Ingress was given. */
import { isIP } from "node:net";
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from "@travelops/kube";
import { checkText, dnsSubdomain, type Errors, ipAddress } from "../checks.ts";
import { child, type Fields, has, items, text } from "../fields.ts";

const PATH = "status.loadBalancer.ingress";
const MODES = ["Proxy", "VIP"];

/** What is already there may stay as it is. */
export function checkAddress(address: string, path: string, known: readonly string[], errors: Errors): void {
  if (!known.includes(address)) checkText(address, path, ipAddress, errors);
}

function checkMode(entry: Fields, path: string, errors: Errors): void {
  const addressed = text(entry, "ip") !== "";
  if (!has(entry, "ipMode")) {
    if (addressed) errors.push(fieldRequired(path, "must be specified when `ip` is set"));
  } else if (!addressed) errors.push(fieldForbidden(path, "may not be specified when `ip` is not set"));
  else if (!MODES.includes(text(entry, "ipMode"))) errors.push(fieldNotSupported(path, entry["ipMode"], MODES));
}

function checkHostname(hostname: string, path: string, errors: Errors): void {
  if (hostname === "") return;
  checkText(hostname, path, dnsSubdomain, errors);
  if (isIP(hostname) !== 0) errors.push(fieldInvalid(path, hostname, "must be a DNS name, not an IP address"));
}

/** `modes`: each address says how it is reached (Services). */
export function checkLoadBalancer(status: Fields, before: Fields, modes: boolean, errors: Errors): void {
  const entries = (of: Fields): readonly Fields[] => items(child(of, "loadBalancer"), "ingress");
  const known = entries(before).map((entry) => text(entry, "ip"));
  entries(status).forEach((entry, i) => {
    const path = `${PATH}[${i}]`;
    const address = text(entry, "ip");
    if (address !== "") checkAddress(address, `${path}.ip`, known, errors);
    if (modes) checkMode(entry, `${path}.ipMode`, errors);
    checkHostname(text(entry, "hostname"), `${path}.hostname`, errors);
  });
}

/** Only load balancers are given addresses. */
export function checkServiceStatus(spec: Fields, status: Fields, before: Fields, errors: Errors): void {
  const given = items(child(status, "loadBalancer"), "ingress").length > 0;
  if (given && text(spec, "type") !== "LoadBalancer")
    errors.push(fieldForbidden(PATH, "may only be used when `spec.type` is 'LoadBalancer'"));
  else checkLoadBalancer(status, before, true, errors);
}
