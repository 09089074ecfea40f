/** Namespaces, nodes, events, secrets and other kinds with a particularity or two. */
import { conflict, StatusError, type KubeObject } from "@travelops/kube";
import { array, read, record, text } from "../printers/printer.ts";
import { dnsLabel, pathSegment } from "../../validation/checks.ts";
import type { Strategy } from "../strategy.ts";
import { rangeWarnings } from "../warnings/address-warnings.ts";
import { keyPairFault } from "../warnings/key-pair-warnings.ts";
import { labelKeys } from "../warnings/storage-warnings.ts";

const NAMESPACE_FINALIZER = "kubernetes";

const at =
  (...path: string[]) =>
  (object: KubeObject): string =>
    text(read(object, ...path));

const PROTECTED: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

export const namespaces: Partial<Strategy> = {
  marksDeletionBare: true,
  nameFaults: dnsLabel,
  prepareForCreate(namespace) {
    const name = namespace.metadata.name ?? "";
    const finalizers = array(read(namespace, "spec", "finalizers"));
    return {
      ...namespace,
      metadata: {
        ...namespace.metadata,
        labels: { ...namespace.metadata.labels, "kubernetes.io/metadata.name": name },
      },
      spec: {
        ...record(namespace["spec"]),
        finalizers: finalizers.includes(NAMESPACE_FINALIZER) ? finalizers : [...finalizers, NAMESPACE_FINALIZER],
      },
      status: { phase: "Active" },
    };
  },
  /** Finalizers of the spec change through `/finalize` alone. */
  prepareForUpdate(namespace, old) {
    const finalizers = read(old, "spec", "finalizers");
    const name = namespace.metadata.name ?? "";
    const { finalizers: _given, ...spec } = record(namespace["spec"]);
    return {
      ...namespace,
      metadata: {
        ...namespace.metadata,
        labels: { ...namespace.metadata.labels, "kubernetes.io/metadata.name": name },
      },
      spec: finalizers === undefined ? spec : { ...spec, finalizers },
    };
  },
  beforeDelete: (namespace) => ({ ...namespace, status: { ...record(namespace["status"]), phase: "Terminating" } }),
  keepsAlive: (namespace) => array(read(namespace, "spec", "finalizers")).length > 0,
  checkDelete(namespace) {
    const name = namespace.metadata.name ?? "";
    if (PROTECTED.has(name)) {
      throw new StatusError(403, "Forbidden", `namespaces "${name}" is forbidden: this namespace may not be deleted`, {
        name,
        kind: "namespaces",
      });
    }
    const waits =
      namespace.metadata.deletionTimestamp !== undefined && array(read(namespace, "spec", "finalizers")).length > 0;
    if (waits) {
      throw conflict(
        { group: "", resource: "namespaces" },
        name,
        "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.",
      );
    }
  },
  selectableFields: { "status.phase": at("status", "phase"), name: at("metadata", "name") },
};

const eventObject = (event: KubeObject): string => (event["regarding"] === undefined ? "involvedObject" : "regarding");

const involved =
  (field: string) =>
  (event: KubeObject): string =>
    text(read(event, eventObject(event), field));

/** Events live an hour. */
export const events: Partial<Strategy> = {
  timeToLiveMs: 3_600_000,
  nameFaults: pathSegment,
  selectableFields: {
    ...Object.fromEntries(
      ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"].flatMap((field) => [
        [`involvedObject.${field}`, involved(field)],
        [`regarding.${field}`, involved(field)],
      ]),
    ),
    reason: at("reason"),
    reportingComponent: at("reportingComponent"),
    reportingController: at("reportingComponent"),
    source: (event) => text(read(event, "source", "component"), text(event["reportingComponent"])),
    type: at("type"),
  },
};

export const secrets: Partial<Strategy> = {
  warnings(secret) {
    if (secret["type"] !== "kubernetes.io/tls") return [];
    const pem = (key: string): string => Buffer.from(text(read(secret, "data", key)), "base64").toString("latin1");
    const fault = keyPairFault(pem("tls.crt"), pem("tls.key"));
    return fault === undefined ? [] : [fault];
  },
  /** `stringData` is written over `data`, in base64. */
  prepareForCreate: mergeStringData,
  prepareForUpdate: mergeStringData,
  selectableFields: { type: at("type") },
};

function mergeStringData(secret: KubeObject): KubeObject {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return secret;
  const encoded = Object.entries(record(stringData)).map(([key, value]) => [
    key,
    Buffer.from(text(value)).toString("base64"),
  ]);
  return {
    ...(rest as KubeObject),
    data: { ...record(secret["data"]), ...(Object.fromEntries(encoded) as Record<string, string>) },
  };
}

export const rbac: Partial<Strategy> = { nameFaults: pathSegment };

export const apiServices: Partial<Strategy> = {
  selectableFields: { "spec.group": at("spec", "group") },
};

/** Upstream names what came without one. */
export const limitRanges: Partial<Strategy> = {
  prepareForCreate: (range) =>
    (range.metadata.name ?? "") === ""
      ? { ...range, metadata: { ...range.metadata, name: range.metadata.uid ?? "" } }
      : range,
};

const MOUNTABLE = "kubernetes.io/enforce-mountable-secrets";

/** Secrets are referred to by name alone. */
function withBareSecrets(account: KubeObject): KubeObject {
  const secrets = array(account["secrets"]);
  if (secrets.every((secret) => Object.keys(record(secret)).every((key) => key === "name"))) return account;
  return {
    ...account,
    secrets: secrets.map((secret) => {
      const name = read(secret, "name");
      return name === undefined ? {} : { name };
    }),
  };
}

export const serviceAccounts: Partial<Strategy> = {
  prepareForCreate: withBareSecrets,
  prepareForUpdate: withBareSecrets,
  warnings: (account, old) =>
    account.metadata.annotations?.[MOUNTABLE] === undefined || old?.metadata.annotations?.[MOUNTABLE] !== undefined
      ? []
      : [
          `metadata.annotations[${MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ],
};

/** The object without fields that its old state has not and a feature that is off would need. */
function without(object: KubeObject, old: KubeObject | undefined, part: string, keys: readonly string[]): KubeObject {
  const fields = record(object[part]);
  const dropped = keys.filter((key) => fields[key] !== undefined && read(old, part, key) === undefined);
  if (dropped.length === 0) return object;
  return { ...object, [part]: Object.fromEntries(Object.entries(fields).filter(([key]) => !dropped.includes(key))) };
}

const COORDINATED = ["strategy", "preferredHolder"];

/** Leader election by the server is off. */
export const leases: Partial<Strategy> = {
  prepareForCreate: (lease) => without(lease, undefined, "spec", COORDINATED),
  prepareForUpdate: (lease, old) => without(lease, old, "spec", COORDINATED),
};

export const runtimeClasses: Partial<Strategy> = {
  warnings: (runtime) =>
    labelKeys(read(runtime, "scheduling", "nodeSelector")).map(([, why]) => `scheduling.nodeSelector: ${why}`),
};

/** The older of the two fields for a node's ranges rules where they differ. */
function withRanges(node: KubeObject): KubeObject {
  const spec = record(node["spec"]);
  const [one, ranges] = [text(spec["podCIDR"]), array(spec["podCIDRs"])];
  if (one === text(ranges[0]) && (ranges.length === 0) === (one === "")) return node;
  if (one !== "") return { ...node, spec: { ...spec, podCIDRs: [one] } };
  return { ...node, spec: { ...spec, podCIDR: text(ranges[0]) } };
}

const prepareNode = (node: KubeObject, old: KubeObject | undefined): KubeObject =>
  without(without(without(withRanges(node), old, "spec", ["configSource"]), old, "status", ["config"]), old, "status", [
    "declaredFeatures",
  ]);

export const nodes: Partial<Strategy> = {
  createsWithStatus: true,
  prepareForCreate: (node) => prepareNode(node, undefined),
  prepareForUpdate: prepareNode,
  prepareForStatusUpdate: (node, old) => without(node, old, "status", ["config"]),
  warnings: (node) => [
    ...(read(node, "spec", "configSource") === undefined ? [] : ["spec.configSource: the feature is removed"]),
    ...(text(read(node, "spec", "externalID")) === ""
      ? []
      : ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]),
    ...array(read(node, "spec", "podCIDRs")).flatMap((range, i) => rangeWarnings(text(range), `spec.podCIDRs[${i}]`)),
  ],
  selectableFields: { "spec.unschedulable": (node) => String(read(node, "spec", "unschedulable") === true) },
};
