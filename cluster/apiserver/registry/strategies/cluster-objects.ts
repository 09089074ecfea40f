/** Namespaces, nodes, events, secrets and other kinds with a particularity or two. */
import { conflict, StatusError, type KubeObject } from "@travelops/kube";
import { array, read, record, text } from "../printers/printer.ts";
import { dnsLabel, pathSegment } from "../../validation/checks.ts";
import type { Strategy } from "../strategy.ts";

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

export const nodes: Partial<Strategy> = {
  createsWithStatus: true,
  selectableFields: { "spec.unschedulable": (node) => String(read(node, "spec", "unschedulable") === true) },
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

export const endpointSlices: Partial<Strategy> = {
  warnings: (slice) => (slice["addressType"] === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : []),
};
