/** Cluster addresses of a Service and their families: whether they fit each other, and what may become of them. */
import { fieldDuplicate, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { isIP } from "node:net";
import { checkText, type Errors, ipAddress, oneOf } from "../checks.ts";
import { child, type Fields, has, strings, text } from "../fields.ts";

const FAMILIES = ["IPv4", "IPv6"];
const POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const AT = "spec.clusterIPs";

export const isHeadless = (spec: Fields | undefined): boolean => {
  const addresses = strings(spec, "clusterIPs");
  return addresses.length === 1 && addresses[0] === "None";
};

function singleAndMany(spec: Fields, addresses: readonly string[], errors: Errors): void {
  const address = text(spec, "clusterIP");
  if (address === "") {
    if (addresses.length > 0)
      errors.push(fieldInvalid(AT, addresses, "must be empty when `clusterIP` is not specified"));
  } else if (addresses.length === 0) errors.push(fieldRequired(AT));
  else if (addresses[0] !== address) errors.push(fieldInvalid(AT, addresses, "first value must match `clusterIP`"));
}

/** False when one is no address, and nothing more can be said of them. */
function areAddresses(addresses: readonly string[], held: readonly string[], errors: Errors): boolean {
  const found = errors.length;
  addresses.forEach((ip, i) => {
    if (i === 0 && ip === "None") {
      if (addresses.length > 1) errors.push(fieldInvalid(AT, addresses, "'None' must be the first and only value"));
    } else if (!held.includes(ip)) checkText(ip, `${AT}[${i}]`, ipAddress, errors);
  });
  const valid = errors.length === found;
  if (addresses.length > 2) errors.push(fieldInvalid(AT, addresses, "may only hold up to 2 values"));
  return valid;
}

function fitFamilies(addresses: readonly string[], families: readonly string[], errors: Errors): void {
  addresses.slice(0, families.length).forEach((ip, i) => {
    const family = families[i] ?? "";
    if (FAMILIES.includes(family) && (isIP(ip) === 6) !== (family === "IPv6"))
      errors.push(fieldInvalid(`${AT}[${i}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
  });
}

/** Whether addresses, families and policy fit each other. ExternalName has none of them: that is checked elsewhere. */
export function checkClusterAddresses(spec: Fields, before: Fields | undefined, errors: Errors): void {
  if (spec["type"] === "ExternalName") return;
  const addresses = strings(spec, "clusterIPs");
  const families = strings(spec, "ipFamilies");
  singleAndMany(spec, addresses, errors);
  families.forEach((family, i) => {
    oneOf(family, `spec.ipFamilies[${i}]`, FAMILIES, errors);
    if (families.indexOf(family) !== i) errors.push(fieldDuplicate(`spec.ipFamilies[${i}]`, family));
  });
  if (has(spec, "ipFamilyPolicy")) oneOf(spec["ipFamilyPolicy"], "spec.ipFamilyPolicy", POLICIES, errors);
  if (!areAddresses(addresses, strings(before, "clusterIPs"), errors)) return;
  const dual = addresses.length === 2 && new Set(addresses.map((ip) => isIP(ip))).size === 2;
  if (addresses.length > 1 && !dual)
    errors.push(fieldInvalid(AT, addresses, "may specify no more than one IP for each IP family"));
  if (!isHeadless(spec)) fitFamilies(addresses, families, errors);
}

const ONCE = "may not change once set";

/** A list whose first stands for good, and whose second may come and go. */
function checkList(spec: Fields, before: Fields, key: "clusterIPs" | "ipFamilies", what: string, errors: Errors): void {
  const [now, then] = [strings(spec, key), strings(before, key)];
  const shown = now.length === 0 ? null : now;
  const at = (i: number): string => `spec.${key}[${i}]`;
  if (now.length === then.length) {
    then.forEach((one, i) => {
      if (one !== now[i]) errors.push(fieldInvalid(key === "clusterIPs" ? at(i) : at(0), shown, ONCE));
    });
    return;
  }
  const released = now.length < then.length;
  if (released && strings(spec, "clusterIPs").length === 0)
    errors.push(fieldInvalid(at(0), shown, `primary ${what} can not be unset`));
  if (then.length > 0 && now.length > 0 && now[0] !== then[0])
    errors.push(fieldInvalid(at(0), strings(spec, "clusterIPs"), ONCE));
  if (released && now.length === 1 && spec["ipFamilyPolicy"] !== "SingleStack")
    errors.push(
      fieldInvalid(
        "spec.ipFamilyPolicy",
        spec["ipFamilyPolicy"] ?? null,
        `must be set to 'SingleStack' when releasing the secondary ${what}`,
      ),
    );
}

/** What has an address keeps it, but on its way from or to ExternalName. */
export function checkAddressChange(service: KubeObject, old: KubeObject, errors: Errors): void {
  const [spec, before] = [child(service, "spec") ?? {}, child(old, "spec") ?? {}];
  if (spec["type"] === "ExternalName" || before["type"] === "ExternalName") return;
  const [now, then] = [isHeadless(spec), isHeadless(before)];
  if (!(now && then)) checkList(spec, before, "clusterIPs", "clusterIP", errors);
  if (!now && !then) checkList(spec, before, "ipFamilies", "ipFamily", errors);
}
