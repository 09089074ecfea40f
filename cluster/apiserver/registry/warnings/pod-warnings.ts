/** What is accepted of pods and of their templates, and is without effect, soon gone, or seldom meant. */
import { formatQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { labelValue } from "../../validation/checks.ts";
import { child, entries, type Fields, has, items, number, strings, text } from "../../validation/fields.ts";
import { everyContainer } from "../../validation/pods/every-container.ts";
import { addressWarnings } from "./address-warnings.ts";
import { deprecatedNodeLabel } from "./node-labels.ts";
import { overlapWarnings } from "./overlapping-paths.ts";
import { portWarnings } from "./port-warnings.ts";

const ANNOTATIONS: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};
/** In upstream's order. */
const VOLUMES: readonly (readonly [key: string, words: string, shown?: string])[] = [
  ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["flocker", "deprecated in v1.22, non-functional in v1.25+"],
  ["storageos", "deprecated in v1.22, non-functional in v1.25+", "storageOS"],
  ["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
];
const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";
const SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead';
const NO_POD = "a null labelSelector results in matching no pod";

type Warn = (text: string) => void;

/** Of resources that are counted in bytes. */
function fractions(resources: Fields | undefined, path: string, names: readonly string[], warn: Warn): void {
  if (resources === undefined) return;
  for (const name of names) {
    const quantity = resources[name] === undefined ? undefined : tryParseQuantity(resources[name]);
    if (quantity !== undefined && quantity.nano % 1_000_000_000n !== 0n)
      warn(
        `${path}[${name}]: fractional byte value ${JSON.stringify(formatQuantity(quantity))} is invalid, must be an integer`,
      );
  }
}

/** A claim's request and limit of storage. */
export function claimWarnings(spec: Fields | undefined, path: string, warn: Warn): void {
  for (const key of ["requests", "limits"])
    fractions(child(child(spec, "resources"), key), `${path}.resources.${key}`, ["storage"], warn);
}

function nodeTerm(term: Fields | undefined, path: string, checkValues: boolean, warn: Warn): void {
  items(term, "matchExpressions").forEach((expression, i) => {
    const key = text(expression, "key");
    const at = `${path}.matchExpressions[${i}]`;
    if (deprecatedNodeLabel(key) !== undefined) warn(`${at}.key: ${key} is ${deprecatedNodeLabel(key)}`);
    if (checkValues)
      strings(expression, "values").forEach((value, j) => {
        for (const fault of labelValue(value)) warn(`${at}.values[${j}]: ${value} is invalid, ${fault}`);
      });
  });
}

function nodeAffinity(affinity: Fields, path: string, warn: Warn): void {
  items(child(affinity, REQUIRED), "nodeSelectorTerms").forEach((term, i) =>
    nodeTerm(term, `${path}.${REQUIRED}.nodeSelectorTerms[${i}]`, false, warn),
  );
  items(affinity, PREFERRED).forEach((term, i) =>
    nodeTerm(child(term, "preference"), `${path}.${PREFERRED}[${i}].preference`, true, warn),
  );
}

function podAffinity(affinity: Fields | undefined, path: string, warn: Warn): void {
  items(affinity, REQUIRED).forEach((term, i) => {
    if (!has(term, "labelSelector")) warn(`${path}.${REQUIRED}[${i}].labelSelector: ${NO_POD}`);
  });
  items(affinity, PREFERRED).forEach((term, i) => {
    if (!has(child(term, "podAffinityTerm"), "labelSelector"))
      warn(`${path}.${PREFERRED}[${i}].podAffinityTerm.labelSelector: ${NO_POD}`);
  });
}

function placement(spec: Fields, path: string, warn: Warn): void {
  for (const [key] of entries(spec, "nodeSelector"))
    if (deprecatedNodeLabel(key) !== undefined) warn(`${path}.nodeSelector[${key}]: ${deprecatedNodeLabel(key)}`);
  const affinity = child(child(spec, "affinity"), "nodeAffinity");
  if (affinity !== undefined) nodeAffinity(affinity, `${path}.affinity.nodeAffinity`, warn);
  items(spec, "topologySpreadConstraints").forEach((constraint, i) => {
    const at = `${path}.topologySpreadConstraints[${i}]`;
    const key = text(constraint, "topologyKey");
    if (deprecatedNodeLabel(key) !== undefined) warn(`${at}.topologyKey: ${key} is ${deprecatedNodeLabel(key)}`);
    if (!has(constraint, "labelSelector")) warn(`${at}.labelSelector: ${NO_POD}`);
  });
}

function volumes(spec: Fields, path: string, warn: Warn): void {
  items(spec, "volumes").forEach((volume, i) => {
    const at = `${path}.volumes[${i}]`;
    for (const [key, words, shown = key] of VOLUMES) if (has(volume, key)) warn(`${at}.${shown}: ${words}`);
    const template = child(child(volume, "ephemeral"), "volumeClaimTemplate");
    if (template !== undefined)
      claimWarnings(child(template, "spec"), `${at}.ephemeral.volumeClaimTemplate.spec`, warn);
  });
}

function repeated(spec: Fields, path: string, warn: Warn): void {
  const seen = new Set<string>();
  items(spec, "hostAliases").forEach((alias, i) => {
    const ip = text(alias, "ip");
    if (seen.has(ip)) warn(`${path}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`);
    seen.add(ip);
  });
  const names = items(spec, "imagePullSecrets").map((secret) => text(secret, "name"));
  names.forEach((name, i) => {
    if (names.indexOf(name) < i) warn(`${path}.imagePullSecrets[${i}].name: duplicate name ${JSON.stringify(name)}`);
  });
  names.forEach((name, i) => {
    if (name === "") warn(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
}

/** A variable that is given twice, but where the second is made of the first. */
function variables(container: Fields, path: string, warn: Warn): void {
  const all = items(container, "env");
  if (all.length < 2) return;
  const seen = new Set<string>();
  all.forEach((variable, i) => {
    const name = text(variable, "name");
    const value = text(variable, "value");
    const reference = `$(${name})`;
    if (seen.has(name) && (has(variable, "valueFrom") || value === reference || !value.includes(reference)))
      warn(
        `${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
      );
    seen.add(name);
  });
}

const BYTES = ["memory"];
const STORAGE = ["ephemeral-storage"];

function containerResources(container: Fields, path: string, warn: Warn): void {
  const resources = child(container, "resources");
  if (resources === undefined) return;
  for (const names of [BYTES, STORAGE])
    for (const key of ["limits", "requests"]) fractions(child(resources, key), `${path}.resources.${key}`, names, warn);
}

const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";

/** What is said in annotations and has fields of its own by now. */
function oldAnnotations(annotations: Fields, container: Fields, at: string, template: boolean, warn: Warn): void {
  const context = child(container, "securityContext");
  const name = text(container, "name");
  const seccomp = `container.seccomp.security.alpha.kubernetes.io/${name}`;
  if (annotations[seccomp] !== undefined && !has(context, "seccompProfile")) warn(`${at}[${seccomp}]: ${SECCOMP}`);
  // A pod is warned while the field is made of it.
  if (template && annotations[APP_ARMOR + name] !== undefined && !has(context, "appArmorProfile"))
    warn(`${at}[${APP_ARMOR}${name}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
}

/** The warnings of a pod, or of a template whose path with a dot at its end is `path`. */
export function podWarnings(pod: Fields, path: string, warn: Warn): void {
  const spec = child(pod, "spec") ?? {};
  const annotations = child(child(pod, "metadata"), "annotations");
  const [at, said] = [`${path}spec`, `${path}metadata.annotations`];
  placement(spec, at, warn);
  if (annotations !== undefined)
    for (const [key, words] of Object.entries(ANNOTATIONS))
      if (annotations[key] !== undefined) warn(`${said}[${key}]: ${words}`);
  volumes(spec, at, warn);
  overlapWarnings(items(spec, "volumes"), warn);
  repeated(spec, at, warn);
  fractions(child(spec, "overhead"), `${at}.overhead`, [...BYTES, ...STORAGE], warn);
  const pods = "seccomp.security.alpha.kubernetes.io/pod";
  if (annotations?.[pods] !== undefined && !has(child(spec, "securityContext"), "seccompProfile"))
    warn(`${said}[${pods}]: ${SECCOMP}`);
  const containers = everyContainer(spec, at);
  for (const [container, where] of containers) {
    if (annotations !== undefined) oldAnnotations(annotations, container, said, path !== "", warn);
    containerResources(container, where, warn);
    variables(container, where, warn);
  }
  portWarnings(containers, warn);
  if ((number(spec, "terminationGracePeriodSeconds") ?? 0) < 0)
    warn(`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  for (const key of ["podAffinity", "podAntiAffinity"])
    podAffinity(child(child(spec, "affinity"), key), `${at}.affinity.${key}`, warn);
  strings(child(spec, "dnsConfig"), "nameservers").forEach((server, i) =>
    addressWarnings(server, `${at}.dnsConfig.nameservers[${i}]`).forEach(warn),
  );
  items(spec, "hostAliases").forEach((alias, i) =>
    addressWarnings(text(alias, "ip"), `${at}.hostAliases[${i}].ip`).forEach(warn),
  );
}
