/** The spec of a pod or of a template. */
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
} from "@travelops/kube";
import {
  checkAnnotations,
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
  type TextCheck,
} from "../checks.ts";
import { checkContainers, type PodContext } from "./containers.ts";
import { checkFileReferences } from "./env.ts";
import { checkEphemeral } from "./ephemeral-containers.ts";
import { child, type Fields, has, items, list, number, strings, text } from "../fields.ts";
import { checkPodAnnotations, checkProfilesMatch } from "./pod-annotations.ts";
import { checkPodResources } from "./pod-resources.ts";
import { checkResources } from "./resources.ts";
import { checkAffinity, checkSpreading, checkTolerations } from "./scheduling.ts";
import { checkPodSecurity } from "./security-contexts.ts";
import { checkVolumes } from "./volumes.ts";
import { checkHostProcesses, checkHostUsers, checkOsFields } from "./windows-options.ts";

type SpecCheck = (spec: Fields, path: string, errors: Errors) => void;

const MAX_INT32 = 2 ** 31 - 1;

const MAX_SEARCHES = 32;
const MAX_SEARCH_TEXT = 2048;

function checkDns(spec: Fields, path: string, errors: Errors): void {
  const config = child(spec, "dnsConfig");
  const at = `${path}.dnsConfig`;
  const servers = strings(config, "nameservers");
  if (spec["dnsPolicy"] === "None" && servers.length === 0) {
    errors.push(
      config === undefined
        ? fieldRequired(at, "must provide `dnsConfig` when `dnsPolicy` is None")
        : fieldRequired(`${at}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"),
    );
    return;
  }
  if (servers.length > 3)
    errors.push(fieldInvalid(`${at}.nameservers`, servers, "must not have more than 3 nameservers"));
  servers.forEach((server, i) => checkText(server, `${at}.nameservers[${i}]`, ipAddress, errors));
  const searches = strings(config, "searches");
  if (searches.length > MAX_SEARCHES)
    errors.push(fieldInvalid(`${at}.searches`, searches, `must not have more than ${MAX_SEARCHES} search paths`));
  if (searches.join(" ").length > MAX_SEARCH_TEXT)
    errors.push(
      fieldInvalid(
        `${at}.searches`,
        searches,
        `must not have more than ${MAX_SEARCH_TEXT} characters (including spaces) in the search list`,
      ),
    );
  searches.forEach((search, i) => {
    if (search !== ".") checkText(search.replace(/\.$/, ""), `${at}.searches[${i}]`, searchDomain, errors);
  });
  items(config, "options").forEach((option, i) =>
    requireText(text(option, "name"), `${at}.options[${i}]`, errors, "must not be empty"),
  );
}

const named =
  (key: string, check: TextCheck): SpecCheck =>
  (spec, path, errors) => {
    if (text(spec, key) !== "") checkText(text(spec, key), `${path}.${key}`, check, errors);
  };

function checkAliases(spec: Fields, path: string, errors: Errors): void {
  items(spec, "hostAliases").forEach((alias, i) => {
    checkText(text(alias, "ip"), `${path}.hostAliases[${i}].ip`, ipAddress, errors);
    strings(alias, "hostnames").forEach((name, j) =>
      checkText(name, `${path}.hostAliases[${i}].hostnames[${j}]`, dnsSubdomain, errors),
    );
  });
}

function checkGates(spec: Fields, path: string, errors: Errors): void {
  items(spec, "readinessGates").forEach((gate, i) =>
    checkText(text(gate, "conditionType"), `${path}.readinessGates[${i}].conditionType`, qualifiedName, errors),
  );
  const seen = new Set<string>();
  items(spec, "schedulingGates").forEach((gate, i) => {
    const name = text(gate, "name");
    checkText(name, `${path}.schedulingGates[${i}]`, qualifiedName, errors);
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}.schedulingGates[${i}]`, name));
    seen.add(name);
  });
}

const CLAIM_SOURCES = ["resourceClaimName", "resourceClaimTemplateName"] as const;

function checkClaims(spec: Fields, path: string, errors: Errors): void {
  const seen = new Set<string>();
  items(spec, "resourceClaims").forEach((claim, i) => {
    const at = `${path}.resourceClaims[${i}]`;
    const name = text(claim, "name");
    if (name !== "" && seen.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    else if (requireText(name, `${at}.name`, errors)) checkText(name, `${at}.name`, dnsLabel, errors);
    seen.add(name);
    const [own, template] = CLAIM_SOURCES.map((key) => claim[key] ?? null);
    const shown = { Name: name, ResourceClaimName: own, ResourceClaimTemplateName: template };
    if (own !== null && template !== null)
      errors.push(
        fieldInvalid(at, shown, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
      );
    if (own === null && template === null)
      errors.push(fieldInvalid(at, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    for (const key of CLAIM_SOURCES)
      if (has(claim, key)) checkText(text(claim, key), `${at}.${key}`, dnsSubdomain, errors);
  });
}

const choice =
  (key: string, supported: readonly string[]): SpecCheck =>
  (spec, path, errors) => {
    const value = text(spec, key);
    if (requireText(value, `${path}.${key}`, errors)) oneOf(value, `${path}.${key}`, supported, errors);
  };

function checkDeadline(spec: Fields, path: string, errors: Errors): void {
  inRange(spec["activeDeadlineSeconds"], `${path}.activeDeadlineSeconds`, 1, MAX_INT32, errors);
}

/** Ports of the host are those of the container where the network is one; a template may leave them out. */
function checkHostNetwork(spec: Fields, path: string, template: boolean, errors: Errors): void {
  if (spec["hostNetwork"] !== true) return;
  items(spec, "containers").forEach((container, i) =>
    items(container, "ports").forEach((port, j) => {
      const host = number(port, "hostPort") ?? 0;
      if ((template && host === 0) || host === (number(port, "containerPort") ?? 0)) return;
      errors.push(
        fieldInvalid(
          `${path}.containers[${i}].ports[${j}].hostPort`,
          host,
          "must match `containerPort` when `hostNetwork` is true",
        ),
      );
    }),
  );
}

const MAX_HOSTNAME = 64;

function checkHostname(spec: Fields, path: string, errors: Errors): void {
  if (!has(spec, "hostnameOverride")) return;
  const name = text(spec, "hostnameOverride");
  const at = `${path}.hostnameOverride`;
  for (const key of ["setHostnameAsFQDN", "hostNetwork"])
    if (spec[key] === true) errors.push(fieldForbidden(at, `may not be specified when ${key} is true`));
  if (Buffer.byteLength(name) > MAX_HOSTNAME) errors.push(fieldTooLong(at, MAX_HOSTNAME));
  checkText(name, at, dnsSubdomain, errors);
}

function checkPreemption(spec: Fields, path: string, errors: Errors): void {
  if (has(spec, "preemptionPolicy")) choice("preemptionPolicy", ["PreemptLowerPriority", "Never"])(spec, path, errors);
}

function checkOs(spec: Fields, path: string, errors: Errors): void {
  const os = child(spec, "os");
  if (os === undefined) return;
  const name = text(os, "name");
  if (name === "") errors.push(fieldRequired(`${path}.os.name`));
  else if (name !== "linux" && name !== "windows")
    errors.push(fieldNotSupported(`${path}.os`, name, ["linux", "windows"]));
  else checkOsFields(spec, path, errors);
}

const DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/** What follows on the containers, in upstream's order. */
const REST: readonly SpecCheck[] = [
  choice("restartPolicy", ["Always", "OnFailure", "Never"]),
  choice("dnsPolicy", DNS_POLICIES),
  (spec, path, errors) => checkLabels(spec, "nodeSelector", `${path}.nodeSelector`, errors),
  checkPodSecurity,
  checkAffinity,
  checkDns,
  checkGates,
  checkSpreading,
  checkHostProcesses,
  checkHostUsers,
  checkHostname,
  named("serviceAccountName", dnsSubdomain),
  named("nodeName", dnsSubdomain),
  checkDeadline,
  named("hostname", dnsLabel),
  named("subdomain", dnsLabel),
  checkTolerations,
  checkAliases,
  named("priorityClassName", dnsSubdomain),
  (spec, path, errors) => {
    if (has(spec, "runtimeClassName"))
      checkText(text(spec, "runtimeClassName"), `${path}.runtimeClassName`, dnsSubdomain, errors);
  },
  checkPreemption,
  (spec, path, errors) => checkResources({ limits: spec["overhead"] }, `${path}.overhead`, [], errors),
  checkOs,
  checkFileReferences,
];

/** Whose spec it is. */
export interface SpecOf {
  /** A workload's template: what admission fills in of a pod is not there yet. */
  readonly template: boolean;
  readonly podName?: string | undefined;
}

export function checkPodSpec(spec: Fields = {}, path: string, { template, podName }: SpecOf, errors: Errors): void {
  if (!has(spec, "terminationGracePeriodSeconds")) errors.push(fieldRequired(`${path}.terminationGracePeriodSeconds`));
  const volumes = checkVolumes(spec, path, { ofPod: !template, podName }, errors);
  checkClaims(spec, path, errors);
  const context: PodContext = {
    volumes,
    claims: [...new Set(items(spec, "resourceClaims").map((claim) => text(claim, "name")))].filter(
      (name) => name !== "",
    ),
    grace: number(spec, "terminationGracePeriodSeconds"),
    restartPolicy: text(spec, "restartPolicy"),
    hostUsers: spec["hostUsers"] !== false,
  };
  checkContainers(spec, path, context, errors);
  checkEphemeral(spec, path, context, errors);
  checkPodResources(spec, path, context.claims, errors);
  checkHostNetwork(spec, path, template, errors);
  for (const check of REST) check(spec, path, errors);
}

/** The pod template of a workload. Upstream names its labels without `metadata`. */
export function checkPodTemplate(template: Fields | undefined, path: string, errors: Errors): void {
  const metadata = child(template, "metadata");
  const spec = child(template, "spec");
  checkLabels(metadata, "labels", `${path}.labels`, errors);
  checkAnnotations(metadata, `${path}.annotations`, errors);
  checkPodAnnotations(metadata, spec, `${path}.annotations`, errors);
  checkPodSpec(spec, `${path}.spec`, { template: true }, errors);
  checkProfilesMatch(metadata, spec, `${path}.spec`, errors);
  if (list(spec, "ephemeralContainers").length > 0) {
    errors.push(fieldForbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
}
