/** Pod security by the labels of a namespace: refuses pods, warns of templates, and of pods that are there already. */
import { createRequire } from "node:module";
import { type FieldError, forbidden, invalid, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { child, type Fields, items, text } from "../../validation/fields.ts";
import type { AdmissionAttributes } from "../../access.ts";
import { type AdmissionPlugin, type ClusterView, lookUp, objectsOf, shownName } from "../plugin.ts";
import {
  compareLevels,
  type LevelVersion,
  mentionsPodSecurity,
  policyOf,
  PREFIX,
  type PodSecurityPolicy,
  sameLevel,
  showLevel,
} from "./levels.ts";
import type { CheckedPod, Violation } from "./pod-view.ts";
import type * as Checks from "./violations.ts";

let loaded: typeof Checks.violations | undefined;

/** The checks are read when a namespace first asks for any: few clusters do. */
function violationsOf(pod: CheckedPod, level: LevelVersion): readonly Violation[] {
  if (level.level === "privileged") return [];
  loaded ??= (createRequire(import.meta.url)("./violations.ts") as typeof Checks).violations;
  return loaded(pod, level);
}

/** Where the template of a workload is. */
const TEMPLATES: ReadonlyMap<string, readonly string[]> = new Map([
  ["pods.", []],
  ["podtemplates.", ["template"]],
  ["replicationcontrollers.", ["spec", "template"]],
  ["replicasets.apps", ["spec", "template"]],
  ["deployments.apps", ["spec", "template"]],
  ["statefulsets.apps", ["spec", "template"]],
  ["daemonsets.apps", ["spec", "template"]],
  ["jobs.batch", ["spec", "template"]],
  ["cronjobs.batch", ["spec", "jobTemplate", "spec", "template"]],
]);

const CHECKED_SUBRESOURCES: ReadonlySet<string> = new Set(["", "ephemeralcontainers", "resize"]);

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  validate(attributes, view) {
    const { operation, group, resource, subresource } = attributes;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    if (group === "" && resource === "namespaces") {
      if (subresource === "") checkNamespace(attributes, view);
      return;
    }
    const path = TEMPLATES.get(`${resource}.${group}`);
    if (path === undefined || attributes.object === undefined) return;
    const labels = lookUp(view, "namespaces.", "", attributes.namespace)?.metadata.labels;
    if (!mentionsPodSecurity(labels)) {
      if (path.length === 0 && CHECKED_SUBRESOURCES.has(subresource)) noteEnforced(attributes, "privileged:latest");
      return;
    }
    const { policy, errors } = policyOf(labels);
    if (path.length === 0) checkPod(attributes, attributes.object, policy, errors);
    else if (subresource === "") warnOfTemplate(attributes, attributes.object, path, policy, errors);
  },
};

const noteEnforced = ({ annotate }: AdmissionAttributes, level: string): void =>
  annotate?.(`${PREFIX}enforce-policy`, level);

const isOpen = (...levels: readonly LevelVersion[]): boolean => levels.every(({ level }) => level === "privileged");

/** For the audit log: what would be a violation, and labels that could not be read. */
function noteOf(
  { annotate }: AdmissionAttributes,
  pod: CheckedPod,
  { audit }: PodSecurityPolicy,
  errors: readonly FieldError[],
): void {
  if (annotate === undefined) return;
  const faults = errors.map(({ field, message }) => `${field}: ${message}`);
  if (faults.length > 0)
    annotate(`${PREFIX}error`, `Failed to parse policy: ${faults.length === 1 ? faults[0] : `[${faults.join(", ")}]`}`);
  const found = violationsOf(pod, audit);
  if (found.length > 0)
    annotate(`${PREFIX}audit-violations`, `would violate PodSecurity "${showLevel(audit)}": ${describe(found)}`);
}

function checkPod(
  attributes: AdmissionAttributes,
  object: KubeObject,
  policy: PodSecurityPolicy,
  errors: readonly FieldError[],
): void {
  if (!CHECKED_SUBRESOURCES.has(attributes.subresource)) return;
  if (errors.length === 0 && isOpen(policy.enforce, policy.audit, policy.warn))
    return noteEnforced(attributes, "privileged:latest");
  if (attributes.oldObject !== undefined && !changesImages(object, attributes.oldObject)) return;
  const pod = asPod(object);
  noteEnforced(attributes, showLevel(policy.enforce));
  noteOf(attributes, pod, policy, errors);
  const found = violationsOf(pod, policy.enforce);
  if (found.length > 0) {
    const { group, resource } = attributes;
    throw forbidden(
      { group, resource },
      shownName(attributes),
      `violates PodSecurity "${showLevel(policy.enforce)}": ${describe(found)}`,
    );
  }
  warnOf(attributes, pod, policy.warn);
}

function warnOfTemplate(
  attributes: AdmissionAttributes,
  object: KubeObject,
  path: readonly string[],
  policy: PodSecurityPolicy,
  errors: readonly FieldError[],
): void {
  const template = path.reduce<Fields | undefined>((at, key) => child(at, key), object);
  if (template === undefined || (errors.length === 0 && isOpen(policy.audit, policy.warn))) return;
  noteOf(attributes, asPod(template), policy, errors);
  warnOf(attributes, asPod(template), policy.warn);
}

function warnOf(attributes: AdmissionAttributes, pod: CheckedPod, level: LevelVersion): void {
  const found = violationsOf(pod, level);
  if (found.length > 0) attributes.warn?.(`would violate PodSecurity "${showLevel(level)}": ${describe(found)}`);
}

const asPod = (object: Fields): CheckedPod => ({
  annotations: (child(child(object, "metadata"), "annotations") ?? {}) as Readonly<Record<string, string>>,
  spec: child(object, "spec") ?? {},
});

const describe = (found: readonly Violation[]): string =>
  found.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");

/** Of what may change in a pod only images and new containers concern its security. */
function changesImages(object: KubeObject, old: KubeObject): boolean {
  const [spec, before] = [child(object, "spec"), child(old, "spec")];
  const images = (of: Fields | undefined, key: string): string[] => items(of, key).map((one) => text(one, "image"));
  for (const key of ["containers", "initContainers"])
    if (!equalJson(images(spec, key), images(before, key))) return true;
  const was = new Map(items(before, "ephemeralContainers").map((one) => [text(one, "name"), text(one, "image")]));
  return items(spec, "ephemeralContainers").some((one) => was.get(text(one, "name")) !== text(one, "image"));
}

function checkNamespace(attributes: AdmissionAttributes, view: ClusterView): void {
  const { object, oldObject } = attributes;
  if (!mentionsPodSecurity(object?.metadata.labels)) return;
  const { policy, errors } = policyOf(object?.metadata.labels);
  const before = policyOf(oldObject?.metadata.labels);
  if (errors.length > 0 && !equalJson(errors, before.errors))
    throw invalid(attributes.group, attributes.kind, shownName(attributes), errors);
  if (oldObject === undefined) return;
  const [level, old] = [policy.enforce, before.policy.enforce];
  if (sameLevel(level, old) || level.level === "privileged") return;
  if (level.minor === old.minor && compareLevels(level.level, old.level) <= 0) return;
  warnOfPods(attributes, objectsOf(view, "pods.", attributes.name), level);
}

/** How many pods are looked at; the rest is only counted. */
const MAX_PODS = 3000;

function warnOfPods(attributes: AdmissionAttributes, pods: readonly KubeObject[], level: LevelVersion): void {
  const warn = attributes.warn ?? (() => {});
  const found = new Map<string, string[]>();
  for (const pod of oneOfEachControllerFirst(pods).slice(0, MAX_PODS)) {
    const reasons = violationsOf(asPod(pod), level)
      .map(({ reason }) => reason)
      .join(", ");
    if (reasons !== "") found.set(reasons, [...(found.get(reasons) ?? []), pod.metadata.name ?? ""]);
  }
  if (pods.length > MAX_PODS)
    warn(`new PodSecurity enforce level only checked against the first ${MAX_PODS} of ${pods.length} existing pods`);
  if (found.size === 0) return;
  warn(
    `existing pods in namespace "${attributes.name}" violate the new PodSecurity enforce level "${showLevel(level)}"`,
  );
  const lines = [...found].map(([reasons, names]) => `${described(names)}: ${reasons}`);
  for (const line of lines.toSorted()) warn(line);
}

function described(names: readonly string[]): string {
  const first = names.toSorted()[0] ?? "";
  const others = names.length - 1;
  return others === 0 ? first : `${first} (and ${others} other ${others === 1 ? "pod" : "pods"})`;
}

/** So that with very many pods every controller is heard of. */
function oneOfEachControllerFirst(pods: readonly KubeObject[]): readonly KubeObject[] {
  const seen = new Set<string>();
  const more: KubeObject[] = [];
  const first = pods.filter((pod) => {
    const owner = pod.metadata.ownerReferences?.find((one) => one.controller === true)?.uid;
    if (owner === undefined) return true;
    if (seen.has(owner)) {
      more.push(pod);
      return false;
    }
    seen.add(owner);
    return true;
  });
  return [...first, ...more];
}
