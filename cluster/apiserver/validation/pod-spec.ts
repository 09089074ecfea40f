/** The spec of a pod or of a template. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import {
  checkLabels,
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  inRange,
  ipAddress,
  oneOf,
  qualifiedName,
  requireText,
  searchDomain,
} from "./checks.ts";
import { checkContainers, checkSeccomp } from "./containers.ts";
import { child, entries, type Fields, has, items, list, number, strings, text } from "./fields.ts";
import { checkQuantity, checkResources } from "./resources.ts";
import { checkAffinity, checkSpreading, checkTolerations } from "./scheduling.ts";
import { checkVolumes } from "./volumes.ts";

const MAX_INT32 = 2 ** 31 - 1;

function checkDns(spec: Fields, path: string, errors: Errors): void {
  oneOf(
    text(spec, "dnsPolicy"),
    `${path}.dnsPolicy`,
    ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    errors,
  );
  const config = child(spec, "dnsConfig");
  const at = `${path}.dnsConfig`;
  const servers = strings(config, "nameservers");
  if (spec["dnsPolicy"] === "None") {
    if (config === undefined) errors.push(fieldRequired(at, "must provide `dnsConfig` when `dnsPolicy` is None"));
    else if (servers.length === 0)
      errors.push(
        fieldRequired(`${at}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"),
      );
  }
  if (servers.length > 3)
    errors.push(fieldInvalid(`${at}.nameservers`, servers, "must not have more than 3 nameservers"));
  servers.forEach((server, i) => checkText(server, `${at}.nameservers[${i}]`, ipAddress, errors));
  strings(config, "searches").forEach((search, i) => {
    if (search !== "." && searchDomain(search.replace(/\.$/, "")).length > 0)
      checkText(search, `${at}.searches[${i}]`, searchDomain, errors);
  });
  items(config, "options").forEach((option, i) =>
    requireText(text(option, "name"), `${at}.options[${i}]`, errors, "must not be empty"),
  );
}

const SYSCTL = /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TEXT =
  "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

function checkSysctls(context: Fields, path: string, errors: Errors): void {
  const seen = new Set<string>();
  items(context, "sysctls").forEach((sysctl, i) => {
    const at = `${path}.sysctls[${i}].name`;
    const name = text(sysctl, "name");
    if (!requireText(name, at, errors)) return;
    if (name.length > 253 || !SYSCTL.test(name)) errors.push(fieldInvalid(at, name, SYSCTL_TEXT));
    else if (seen.has(name)) errors.push(fieldDuplicate(at, name));
    seen.add(name);
  });
}

function checkSecurity(spec: Fields, path: string, errors: Errors): void {
  const context = child(spec, "securityContext");
  const at = `${path}.securityContext`;
  if (context !== undefined) {
    for (const id of ["fsGroup", "runAsUser", "runAsGroup"]) inRange(context[id], `${at}.${id}`, 0, MAX_INT32, errors);
    list(context, "supplementalGroups").forEach((id, i) =>
      inRange(id, `${at}.supplementalGroups[${i}]`, 0, MAX_INT32, errors),
    );
    checkSysctls(context, at, errors);
    if (has(context, "fsGroupChangePolicy"))
      oneOf(context["fsGroupChangePolicy"], `${at}.fsGroupChangePolicy`, ["Always", "OnRootMismatch"], errors);
    checkSeccomp(context, at, errors);
  }
  if (spec["shareProcessNamespace"] === true && spec["hostPID"] === true) {
    errors.push(
      fieldInvalid(`${at}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"),
    );
  }
  if (spec["hostUsers"] === false) {
    for (const key of ["hostPID", "hostIPC", "hostNetwork"]) {
      if (spec[key] === true) errors.push(fieldForbidden(`${path}.H${key.slice(1)}`, "when `hostUsers` is false"));
    }
  }
}

function checkNames(spec: Fields, path: string, errors: Errors): void {
  checkLabels(spec, "nodeSelector", `${path}.nodeSelector`, errors);
  for (const key of ["nodeName", "serviceAccountName", "runtimeClassName", "priorityClassName"]) {
    if (text(spec, key) !== "") checkText(text(spec, key), `${path}.${key}`, dnsSubdomain, errors);
  }
  for (const key of ["hostname", "subdomain"]) {
    if (text(spec, key) !== "") checkText(text(spec, key), `${path}.${key}`, dnsLabel, errors);
  }
  items(spec, "hostAliases").forEach((alias, i) => {
    checkText(text(alias, "ip"), `${path}.hostAliases[${i}].ip`, ipAddress, errors);
    strings(alias, "hostnames").forEach((name, j) =>
      checkText(name, `${path}.hostAliases[${i}].hostnames[${j}]`, dnsSubdomain, errors),
    );
  });
  items(spec, "readinessGates").forEach((gate, i) =>
    checkText(text(gate, "conditionType"), `${path}.readinessGates[${i}].conditionType`, qualifiedName, errors),
  );
}

function checkGates(spec: Fields, path: string, errors: Errors): void {
  const seen = new Set<string>();
  items(spec, "schedulingGates").forEach((gate, i) => {
    const name = text(gate, "name");
    checkText(name, `${path}.schedulingGates[${i}]`, qualifiedName, errors);
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}.schedulingGates[${i}]`, name));
    seen.add(name);
  });
}

function checkClaims(spec: Fields, path: string, errors: Errors): string[] {
  return items(spec, "resourceClaims").map((claim, i) => {
    const at = `${path}.resourceClaims[${i}]`;
    const name = text(claim, "name");
    if (requireText(name, `${at}.name`, errors)) checkText(name, `${at}.name`, dnsLabel, errors);
    const own = claim["resourceClaimName"] ?? null;
    const template = claim["resourceClaimTemplateName"] ?? null;
    const shown = { Name: name, ResourceClaimName: own, ResourceClaimTemplateName: template };
    if (own === null && template === null)
      errors.push(fieldInvalid(at, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    else if (own !== null && template !== null)
      errors.push(
        fieldInvalid(at, shown, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
      );
    return name;
  });
}

function checkLifetime(spec: Fields, path: string, errors: Errors): void {
  oneOf(text(spec, "restartPolicy"), `${path}.restartPolicy`, ["Always", "OnFailure", "Never"], errors);
  inRange(spec["activeDeadlineSeconds"], `${path}.activeDeadlineSeconds`, 1, MAX_INT32, errors);
  if ((number(spec, "terminationGracePeriodSeconds") ?? 0) < 0) {
    errors.push(
      fieldInvalid(
        `${path}.terminationGracePeriodSeconds`,
        spec["terminationGracePeriodSeconds"],
        "must be greater than or equal to 0",
      ),
    );
  }
  if (has(spec, "preemptionPolicy"))
    oneOf(spec["preemptionPolicy"], `${path}.preemptionPolicy`, ["PreemptLowerPriority", "Never"], errors);
  if (has(spec, "os")) oneOf(text(child(spec, "os"), "name"), `${path}.os`, ["linux", "windows"], errors);
  for (const [name, value] of entries(spec, "overhead"))
    checkQuantity(name, value, `${path}.overhead.limits[${name}]`, errors);
}

function checkTokens(spec: Fields, path: string, errors: Errors): void {
  if (text(spec, "serviceAccountName") !== "") return;
  items(spec, "volumes").forEach((volume, i) => {
    items(child(volume, "projected"), "sources").forEach((source, j) => {
      if (!has(source, "serviceAccountToken")) return;
      errors.push(
        fieldForbidden(
          `${path}.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
          "must not be specified when serviceAccountName is not set",
        ),
      );
    });
  });
}

/** `template`: what stands in a workload, where a service account may come later. */
export function checkPodSpec(spec: Fields = {}, path: string, template: boolean, errors: Errors): void {
  const volumes = checkVolumes(spec, path, errors);
  const claims = checkClaims(spec, path, errors);
  const context = {
    volumes,
    claims,
    grace: number(spec, "terminationGracePeriodSeconds"),
    hostNetwork: spec["hostNetwork"] === true,
    names: new Set<string>(),
  };
  checkContainers(spec, path, context, errors);
  if (has(spec, "resources")) checkResources(child(spec, "resources"), `${path}.resources`, [], errors);
  checkLifetime(spec, path, errors);
  checkDns(spec, path, errors);
  checkNames(spec, path, errors);
  checkSecurity(spec, path, errors);
  checkAffinity(spec, path, errors);
  checkTolerations(spec, path, errors);
  checkSpreading(spec, path, errors);
  checkGates(spec, path, errors);
  if (!template) checkTokens(spec, path, errors);
}

/** The pod template of a workload. Upstream names its labels without `metadata`. */
export function checkPodTemplate(template: Fields | undefined, path: string, errors: Errors): void {
  const metadata = child(template, "metadata");
  checkLabels(metadata, "labels", `${path}.labels`, errors);
  for (const [key] of entries(metadata, "annotations"))
    checkText(key.toLowerCase(), `${path}.annotations`, qualifiedName, errors);
  checkPodSpec(child(template, "spec"), `${path}.spec`, true, errors);
  if (list(child(template, "spec"), "ephemeralContainers").length > 0) {
    errors.push(fieldForbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
}
