/** What a node may say of a pod. */
import { isIP } from "node:net";
import { fieldForbidden, fieldInvalid } from "@travelops/kube";
import { checkText, dnsSubdomain, type Errors, qualifiedName } from "../checks.ts";
import { child, type Fields, has, items, list, number, text } from "../fields.ts";
import { checkAddress } from "./load-balancer-status.ts";

const OF_THE_SYSTEM: ReadonlySet<string> = new Set(["PodScheduled", "Ready", "Initialized"]);

function checkConditions(status: Fields, errors: Errors): void {
  items(status, "conditions").forEach((condition, i) => {
    const path = `status.conditions[${i}]`;
    checkGeneration(condition, `${path}.observedGeneration`, errors);
    const type = text(condition, "type");
    if (!OF_THE_SYSTEM.has(type)) checkText(type, `${path}.Type`, qualifiedName, errors);
  });
}

function checkGeneration(of: Fields, path: string, errors: Errors): void {
  const generation = number(of, "observedGeneration") ?? 0;
  if (generation < 0) errors.push(fieldInvalid(path, generation, "must be a non-negative integer"));
}

function checkNominated(status: Fields, spec: Fields, before: Fields, errors: Errors): void {
  const node = text(status, "nominatedNodeName");
  if (node === "" || node === text(before, "nominatedNodeName")) return;
  checkText(node, "status.nominatedNodeName", dnsSubdomain, errors);
  if (text(spec, "nodeName") !== "")
    errors.push(fieldForbidden("status.nominatedNodeName", "may not be set on pods that are already bound to a node"));
}

function ruleMatches(container: Fields, exitCode: number): boolean {
  return items(container, "restartPolicyRules").some((rule) => {
    const codes = child(rule, "exitCodes");
    const listed = list(codes, "values").includes(exitCode);
    return codes !== undefined && (text(codes, "operator") === "In" ? listed : !listed);
  });
}

/** Whether a container that ended so may start again. */
function restarts(container: Fields, spec: Fields, exitCode: number): boolean {
  if (has(container, "restartPolicy") && ruleMatches(container, exitCode)) return true;
  const policy =
    text(container, "restartPolicy") === "" ? text(spec, "restartPolicy") : text(container, "restartPolicy");
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

const firstByName = (all: readonly Fields[]): ReadonlyMap<string, Fields> =>
  new Map(all.toReversed().map((one) => [text(one, "name"), one]));

function checkTransitions(
  status: Fields,
  before: Fields,
  key: string,
  mayStart: (name: string, exitCode: number) => boolean,
  errors: Errors,
): void {
  const named = firstByName(items(status, key));
  items(before, key).forEach((old, i) => {
    const ended = child(child(old, "state"), "terminated");
    if (ended === undefined) return;
    const now = named.get(text(old, "name"));
    if (now === undefined || has(child(now, "state"), "terminated")) return;
    if (!mayStart(text(old, "name"), number(ended, "exitCode") ?? 0))
      errors.push(fieldForbidden(`status.${key}[${i}].state`, "may not be transitioned to non-terminated state"));
  });
}

function checkFamilies(addresses: readonly string[], path: string, errors: Errors): void {
  if (addresses.length < 2) return;
  const families = new Set(addresses.map((address) => isIP(address)));
  if (addresses.length > 2 || families.size !== 2)
    errors.push(
      fieldInvalid(
        path,
        addresses.map((IP) => ({ IP })),
        "may specify no more than one IP for each IP family",
      ),
    );
}

function checkAddresses(status: Fields, before: Fields, key: "podIPs" | "hostIPs", errors: Errors): void {
  const of = (fields: Fields): readonly string[] => items(fields, key).map((entry) => text(entry, "ip"));
  const [addresses, known] = [of(status), of(before)];
  const [first] = addresses;
  if (key === "hostIPs" && first !== undefined && first !== text(status, "hostIP"))
    errors.push(fieldInvalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`"));
  addresses.forEach((address, i) => checkAddress(address, `status.${key}[${i}]`, known, errors));
  checkFamilies(addresses, `status.${key}`, errors);
}

/** `spec` is that of the pod before. */
export function checkPodStatus(spec: Fields, status: Fields, before: Fields, errors: Errors): void {
  checkConditions(status, errors);
  checkNominated(status, spec, before, errors);
  checkGeneration(status, "status.observedGeneration", errors);
  const known = text(before, "qosClass");
  if (known !== text(status, "qosClass"))
    errors.push(fieldInvalid("status.qosClass", text(status, "qosClass"), "field is immutable"));
  for (const [key, containers] of [
    ["containerStatuses", "containers"],
    ["initContainerStatuses", "initContainers"],
  ] as const) {
    const named = firstByName(items(spec, containers));
    const mayStart = (name: string, exitCode: number): boolean => {
      const container = named.get(name);
      return container !== undefined && restarts(container, spec, exitCode);
    };
    checkTransitions(status, before, key, mayStart, errors);
  }
  checkTransitions(status, before, "ephemeralContainerStatuses", () => false, errors);
  const claims = firstByName(items(spec, "resourceClaims"));
  items(status, "resourceClaimStatuses").forEach((claim, i) => {
    const name = text(claim, "name");
    if (!claims.has(name))
      errors.push(
        fieldInvalid(
          `status.resourceClaimStatuses[${i}].name`,
          name,
          "must match the name of an entry in `spec.resourceClaims`",
        ),
      );
  });
  checkAddresses(status, before, "podIPs", errors);
  checkAddresses(status, before, "hostIPs", errors);
}
