/** The status of a pod: what even the node's agent may not write. */
import { fieldForbidden, fieldInvalid, type KubeObject } from "@travelops/kube";
import { checkText, dnsSubdomain, type Errors, ipAddress, qualifiedName } from "./checks.ts";
import { child, type Fields, items, list, number, text } from "./fields.ts";

const SYSTEM_CONDITIONS: ReadonlySet<string> = new Set(["PodScheduled", "Ready", "Initialized"]);

const isSix = (address: string): boolean => address.includes(":");

/** At most one address of each family. */
function checkAddresses(status: Fields, old: Fields, key: "podIPs" | "hostIPs", errors: Errors): void {
  const known = new Set(items(old, key).map((one) => text(one, "ip")));
  const all = items(status, key).map((one) => text(one, "ip"));
  const at = `status.${key}`;
  if (key === "hostIPs" && all.length > 0 && all[0] !== text(status, "hostIP"))
    errors.push(fieldInvalid(`${at}[0].ip`, all[0], "must be equal to `hostIP`"));
  all.forEach((address, i) => {
    if (!known.has(address)) checkText(address, `${at}[${i}]`, ipAddress, errors);
  });
  const families = new Set(all.map(isSix));
  if (all.length > 1 && (families.size < 2 || all.length > 2))
    errors.push(
      fieldInvalid(
        at,
        all.map((IP) => ({ IP })),
        "may specify no more than one IP for each IP family",
      ),
    );
}

/** Whether a container that ended so is started again. */
function startsAgain(container: Fields, spec: Fields, code: number): boolean {
  for (const rule of items(container, "restartPolicyRules")) {
    const codes = child(rule, "exitCodes");
    const listed = list(codes, "values").includes(code);
    if (text(codes, "operator") === "In" ? listed : text(codes, "operator") === "NotIn" && !listed) return true;
  }
  const own = text(container, "restartPolicy");
  const policy = own === "" ? text(spec, "restartPolicy") : own;
  return policy === "Always" || (policy === "OnFailure" && code !== 0);
}

/** A container that has ended for good does not run again. */
function checkEnded(pod: KubeObject, status: Fields, old: Fields, errors: Errors): void {
  const spec = child(pod, "spec") ?? {};
  for (const [key, of] of [
    ["containerStatuses", "containers"],
    ["initContainerStatuses", "initContainers"],
  ] as const) {
    items(old, key).forEach((before, i) => {
      const ended = child(child(before, "state"), "terminated");
      const now = items(status, key).find((one) => text(one, "name") === text(before, "name"));
      if (ended === undefined || now === undefined || child(child(now, "state"), "terminated") !== undefined) return;
      const container = items(spec, of).find((one) => text(one, "name") === text(before, "name"));
      if (container === undefined || !startsAgain(container, spec, number(ended, "exitCode") ?? 0))
        errors.push(fieldForbidden(`status.${key}[${i}].state`, "may not be transitioned to non-terminated state"));
    });
  }
}

export function checkPodStatus(pod: KubeObject, old: KubeObject, errors: Errors): void {
  const status = child(pod, "status") ?? {};
  const before = child(old, "status") ?? {};
  items(status, "conditions").forEach((condition, i) => {
    const type = text(condition, "type");
    if (!SYSTEM_CONDITIONS.has(type)) checkText(type, `status.conditions[${i}].Type`, qualifiedName, errors);
  });
  const nominated = text(status, "nominatedNodeName");
  if (nominated !== "" && nominated !== text(before, "nominatedNodeName")) {
    checkText(nominated, "status.nominatedNodeName", dnsSubdomain, errors);
    if (text(child(old, "spec"), "nodeName") !== "")
      errors.push(
        fieldForbidden("status.nominatedNodeName", "may not be set on pods that are already bound to a node"),
      );
  }
  const observed = number(status, "observedGeneration") ?? 0;
  if (observed < 0) errors.push(fieldInvalid("status.observedGeneration", observed, "must be a non-negative integer"));
  if (text(status, "qosClass") !== text(before, "qosClass"))
    errors.push(fieldInvalid("status.qosClass", text(status, "qosClass"), "field is immutable"));
  checkEnded(pod, status, before, errors);
  checkAddresses(status, before, "podIPs", errors);
  checkAddresses(status, before, "hostIPs", errors);
}
