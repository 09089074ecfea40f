/** The ranges that Services have their addresses from, and the addresses that are taken. */
import { fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { parseCidr, parseIp } from "@travelops/kube/schema/cel/network";
import { checkText, cidr, dnsSubdomain, type Errors, pathSegment, requireText } from "../checks.ts";
import { immutableValue } from "../comparison/forbidden-change.ts";
import { child, type Fields, strings, text } from "../fields.ts";

/** A range in the one form that newer fields take. */
function strictRange(range: string, path: string, errors: Errors): void {
  if (cidr(range).length > 0) return checkText(range, path, cidr, errors);
  const parsed = parseCidr(range);
  const fault = (why: string): void => void errors.push(fieldInvalid(path, range, why));
  if (parsed === undefined)
    fault(
      /^::ffff:[\d.]+\//i.test(range)
        ? "must not have an IPv4-mapped IPv6 address"
        : "must not have leading 0s in IP or prefix length",
    );
  else if (!parsed.masked.equals(parsed)) fault("must not have bits set beyond the prefix length");
  else if (parsed.toString() !== range) fault(`must be in canonical form (${JSON.stringify(parsed.toString())})`);
}

const DUAL = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";

function checkRanges(ranges: readonly string[], errors: Errors): void {
  const path = "spec.cidrs";
  if (ranges.length === 0) return void errors.push(fieldRequired(path, "at least one CIDR required"));
  if (ranges.length > 2) return void errors.push(fieldInvalid(path, { CIDRs: ranges }, "may only hold up to 2 values"));
  ranges.forEach((range, i) => strictRange(range, `${path}[${i}]`, errors));
  const [one, other] = ranges.map((range) => parseIp(range.split("/")[0] ?? "")?.family);
  if (ranges.length === 2 && one !== undefined && one === other) errors.push(fieldInvalid(path, ranges, DUAL));
}

const FROZEN = "field is immutable";

/** A range stays as it is; one of the other family may be added. */
export function checkServiceRange(range: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const ranges = strings(child(range, "spec"), "cidrs");
  if (old === undefined) return checkRanges(ranges, errors);
  const before = strings(child(old, "spec"), "cidrs");
  const frozen = (i: number): void => {
    if (ranges[i] !== before[i]) errors.push(fieldInvalid(`spec.cidrs[${i}]`, ranges[i] ?? "", FROZEN));
  };
  if (before.length === ranges.length) for (let i = 0; i < before.length; i++) frozen(i);
  else if (before.length === 1 && ranges.length === 2) {
    frozen(0);
    checkRanges(ranges, errors);
  } else errors.push(fieldInvalid("spec.cidrs", ranges.length === 0 ? null : ranges, FROZEN));
}

export function checkTakenAddress(address: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const path = "spec.parentRef";
  const parent = child(child(address, "spec"), "parentRef");
  checkParent(parent, path, errors);
  if (old !== undefined && !equalJson(parent ?? null, child(child(old, "spec"), "parentRef") ?? null))
    errors.push(immutableValue(path, "*ParentReference", parent));
}

function checkParent(parent: Fields | undefined, path: string, errors: Errors): void {
  if (parent === undefined) return void errors.push(fieldRequired(path));
  if (text(parent, "group") !== "") checkText(text(parent, "group"), `${path}.group`, dnsSubdomain, errors);
  for (const key of ["resource", "name"])
    if (requireText(text(parent, key), `${path}.${key}`, errors))
      checkText(text(parent, key), `${path}.${key}`, pathSegment, errors);
  checkText(text(parent, "namespace"), `${path}.namespace`, pathSegment, errors);
}
