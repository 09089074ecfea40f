/** Families of addresses: what a Service asks for and what this cluster, which has IPv4 alone, can give. */
import { fieldInvalid, invalid, type FieldError, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkClusterAddresses } from "../../validation/network/service-addresses.ts";
import { array, read, record, text } from "../printers/printer.ts";

type Spec = Readonly<Record<string, unknown>>;

const OWN = "IPv4";
const otherOf = (family: string): string => (family === "IPv4" ? "IPv6" : "IPv4");
const textsOf = (value: unknown): string[] => array(value).map((one) => text(one));
const familyOf = (ip: string): string => (ip.includes(":") ? "IPv6" : "IPv4");

const refuse = (service: KubeObject, errors: readonly FieldError[]): void => {
  if (errors.length > 0) throw invalid("", "Service", service.metadata.name ?? "", errors);
};

/** Whoever prefers both and changes nothing of it is left alone. */
function isUnchanged(spec: Spec, before: Spec): boolean {
  const prefers = (policy: unknown): boolean => policy === undefined || policy === "PreferDualStack";
  return (
    spec["ipFamilyPolicy"] === "PreferDualStack" &&
    prefers(before["ipFamilyPolicy"]) &&
    ["type", "clusterIP", "clusterIPs", "ipFamilies"].every((key) => equalJson(spec[key] ?? null, before[key] ?? null))
  );
}

function policyOf(spec: Spec, before: Spec | undefined, bare: boolean): string {
  const given = spec["ipFamilyPolicy"] ?? before?.["ipFamilyPolicy"];
  return typeof given === "string" ? given : bare ? "RequireDualStack" : "SingleStack";
}

/** The families of the addresses that are asked for, where nobody named them. */
function inferFamilies(families: string[], addresses: readonly string[], errors: FieldError[]): void {
  addresses.forEach((ip, i) => {
    if (ip === "None" || i < families.length) return;
    const family = familyOf(ip);
    if (family === OWN) families.push(family);
    else errors.push(fieldInvalid(`spec.clusterIPs[${i}]`, addresses, `${family} is not configured on this cluster`));
  });
}

const MANY = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";

function policyFaults(policy: string, addresses: readonly string[], families: readonly string[]): FieldError[] {
  const at = "spec.ipFamilyPolicy";
  if (policy !== "SingleStack") return [];
  return [
    ...(addresses.length === 2 ? [fieldInvalid(at, policy, `${MANY} cluster IPs are specified`)] : []),
    ...(families.length === 2 ? [fieldInvalid(at, policy, `${MANY} IP families are specified`)] : []),
  ];
}

/** Fields that the cluster has no answer to. */
function clusterFaults(policy: string, families: readonly string[]): FieldError[] {
  return [
    ...(policy === "RequireDualStack"
      ? [fieldInvalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")]
      : []),
    ...families.flatMap((family, i) =>
      family === OWN ? [] : [fieldInvalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster")],
    ),
  ];
}

/** A Service with its families and policy filled in. Throws what is wrong with them. */
export function withFamilies(service: KubeObject, old: KubeObject | undefined): KubeObject {
  const spec = record(service["spec"]);
  const before = old === undefined ? undefined : record(old["spec"]);
  if (spec["type"] === "ExternalName" || (before !== undefined && isUnchanged(spec, before))) return service;
  const bare = spec["clusterIP"] === "None" && Object.keys(record(spec["selector"])).length === 0;
  const policy = policyOf(spec, before, bare);
  const errors: FieldError[] = [];
  checkClusterAddresses({ ...spec, ipFamilyPolicy: policy }, before, errors);
  refuse(service, errors);
  const addresses = textsOf(spec["clusterIPs"]);
  const families = textsOf(spec["ipFamilies"]);
  errors.push(...policyFaults(policy, addresses, families));
  inferFamilies(families, addresses, errors);
  refuse(service, errors);
  if (!bare) refuse(service, clusterFaults(policy, families));
  if (families.length === 0) families.push(OWN);
  // Nobody knows what stands behind a headless Service without a selector: it may be of both families.
  if (bare && families.length < 2 && policy !== "SingleStack") families.push(otherOf(families[0] ?? OWN));
  return { ...service, spec: { ...spec, ipFamilies: families, ipFamilyPolicy: policy } };
}

/** Both fields for addresses, where the writer knew one of them or left out what the server had filled in. */
export function withAddresses(service: KubeObject, old: KubeObject | undefined): KubeObject {
  const spec = record(service["spec"]);
  const given = { one: text(spec["clusterIP"]), many: textsOf(spec["clusterIPs"]) };
  const next = old === undefined ? given : patched(given, service, old);
  const many = old === undefined && next.one !== "" && next.many.length === 0 ? [next.one] : next.many;
  if (next.one === given.one && many === given.many) return service;
  const { clusterIP: _one, clusterIPs: _many, ...rest } = spec;
  return {
    ...service,
    spec: {
      ...rest,
      ...(next.one === "" ? {} : { clusterIP: next.one }),
      ...(many.length === 0 ? {} : { clusterIPs: many }),
    },
  };
}

interface Addresses {
  readonly one: string;
  readonly many: string[];
}

function patched(given: Addresses, service: KubeObject, old: KubeObject): Addresses {
  const before = { one: text(read(old, "spec", "clusterIP")), many: textsOf(read(old, "spec", "clusterIPs")) };
  const kept = [service, old].every((object) => read(object, "spec", "type") !== "ExternalName");
  const one = kept && given.one === "" ? before.one : given.one;
  let many = kept && given.many.length === 0 && before.many.length > 0 ? before.many : given.many;
  if (many.length === 0 && before.many.length > 0 && one === before.one) many = before.many;
  if (one !== before.one && equalJson(many, before.many)) many = one === "" ? [] : [one];
  return { one, many };
}
