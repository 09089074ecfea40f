/** What is accepted of volumes, claims and classes of storage, and without effect or soon gone. */
import type { KubeObject } from "@travelops/kube";
import { formatQuantity, quantityMilli, tryParseQuantity } from "@travelops/kube/api/quantity";
import { array, read, record, text } from "../printers/printer.ts";
import { deprecatedNodeLabel } from "./node-labels.ts";

const BETA_CLASS = "volume.beta.kubernetes.io/storage-class";
const INSTEAD_OF_CLASS = 'deprecated since v1.8; use "storageClassName" attribute instead';
const ANNOTATIONS: readonly (readonly [key: string, why: string])[] = [
  [BETA_CLASS, INSTEAD_OF_CLASS],
  ["volume.beta.kubernetes.io/mount-options", 'deprecated since v1.31; use "mountOptions" attribute instead'],
];

const PLUGINS: readonly (readonly [field: string, name: string, why: string])[] = [
  ["cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"],
];

/** Warnings about keys of expressions, each named and placed. */
const labelsOf = (expressions: unknown, path: string): string[] =>
  array(expressions).flatMap((expression, i) => {
    const key = text(read(expression, "key"));
    const why = deprecatedNodeLabel(key);
    return why === undefined ? [] : [`${path}[${i}].key: ${key} is ${why}`];
  });

export function volumeWarnings(volume: KubeObject): string[] {
  const annotations = volume.metadata.annotations ?? {};
  const terms = array(read(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms"));
  const at = "spec.nodeAffinity.required.nodeSelectorTerms";
  return [
    ...ANNOTATIONS.filter(([key]) => key in annotations).map(([key, why]) => `metadata.annotations[${key}]: ${why}`),
    ...(read(volume, "spec", "persistentVolumeReclaimPolicy") === "Recycle"
      ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        ]
      : []),
    ...terms.flatMap((term, i) => labelsOf(read(term, "matchExpressions"), `${at}[${i}].matchExpressions`)),
    ...PLUGINS.filter(([field]) => read(volume, "spec", field) !== undefined).map(
      ([, name, why]) => `spec.${name}: ${why}`,
    ),
  ];
}

/** Warnings about the spec of a claim: bytes are whole. */
export function claimSpecWarnings(spec: unknown, path: string): string[] {
  return ["requests", "limits"].flatMap((key) => {
    const quantity = tryParseQuantity(read(spec, "resources", key, "storage"));
    if (quantity === undefined || quantityMilli(quantity) % 1000n === 0n) return [];
    const shown = JSON.stringify(formatQuantity(quantity));
    return [`${path}.resources.${key}[storage]: fractional byte value ${shown} is invalid, must be an integer`];
  });
}

export const claimWarnings = (claim: KubeObject): string[] => [
  ...(claim.metadata.annotations?.[BETA_CLASS] === undefined
    ? []
    : [`metadata.annotations[${BETA_CLASS}]: ${INSTEAD_OF_CLASS}`]),
  ...claimSpecWarnings(claim["spec"], "spec"),
];

export const storageClassWarnings = (storage: KubeObject): string[] =>
  array(storage["allowedTopologies"]).flatMap((term, i) =>
    array(read(term, "matchLabelExpressions")).flatMap((expression, j) => {
      const why = deprecatedNodeLabel(text(read(expression, "key")));
      return why === undefined ? [] : [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${why}`];
    }),
  );

export const capacityWarnings = (capacity: KubeObject): string[] => [
  ...labelsOf(read(capacity, "nodeTopology", "matchExpressions"), "nodeTopology.matchExpressions"),
  ...labelKeys(read(capacity, "nodeTopology", "matchLabels")).map(
    ([label, why]) => `nodeTopology.matchLabels.${label}: ${why}`,
  ),
];

/** Deprecated ones among the keys of labels. */
export const labelKeys = (labels: unknown): (readonly [label: string, why: string])[] =>
  Object.keys(record(labels)).flatMap((label) => {
    const why = deprecatedNodeLabel(label);
    return why === undefined ? [] : [[label, why] as const];
  });
