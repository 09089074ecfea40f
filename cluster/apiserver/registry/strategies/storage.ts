/** Volumes, claims and what drivers of storage say of themselves. */
import type { KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { array, read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";
import { capacityWarnings, claimWarnings, storageClassWarnings, volumeWarnings } from "../warnings/storage-warnings.ts";

/** What is in use stays until it no longer is: the controllers take the finalizer off. */
function protectedBy(finalizer: string, object: KubeObject): KubeObject["metadata"] {
  const finalizers = object.metadata.finalizers ?? [];
  return finalizers.includes(finalizer)
    ? object.metadata
    : { ...object.metadata, finalizers: [...finalizers, finalizer] };
}

export const persistentVolumes: Partial<Strategy> = {
  prepareForCreate: (volume, { now }) => ({
    ...volume,
    metadata: protectedBy("kubernetes.io/pv-protection", volume),
    status: { phase: "Pending", lastPhaseTransitionTime: now },
  }),
  /** When the phase changed, unless the writer says so itself. */
  prepareForStatusUpdate(volume, old, { now }) {
    const status = record(volume["status"]);
    const before = record(old["status"]);
    const key = "lastPhaseTransitionTime";
    if (status["phase"] !== before["phase"] && (status[key] ?? before[key]) === before[key])
      return { ...volume, status: { ...status, [key]: now } };
    return volume;
  },
  warnings: volumeWarnings,
};

type Fields = Readonly<Record<string, unknown>>;

/** The only sources that the older field has ever known: any other is dropped. */
function isOldSource(source: unknown): boolean {
  const group = text(read(source, "apiGroup"));
  const kind = text(read(source, "kind"));
  return (
    (kind === "PersistentVolumeClaim" && group === "") ||
    (kind === "VolumeSnapshot" && group === "snapshot.storage.k8s.io")
  );
}

/** The older and the newer field for what a volume starts from say the same. */
function withDataSources(spec: Fields, old: Fields | undefined): Fields {
  const { dataSource: given, dataSourceRef: asked, ...rest } = spec;
  if (given === undefined && asked === undefined) return spec;
  const elsewhere = text(read(asked, "namespace")) !== "";
  const held = old?.["dataSourceRef"] !== undefined;
  const reference = elsewhere && !held ? undefined : asked;
  const inUse = held || old?.["dataSource"] !== undefined;
  const source = inUse || reference !== undefined || isOldSource(given) ? given : undefined;
  const known = { ...rest, ...(source === undefined ? {} : { dataSource: source }) };
  if (reference === undefined) return source === undefined ? known : { ...known, dataSourceRef: source };
  if (source !== undefined || elsewhere) return { ...known, dataSourceRef: reference };
  const { namespace: _namespace, ...local } = record(reference);
  return { ...known, dataSource: local, dataSourceRef: reference };
}

export const persistentVolumeClaims: Partial<Strategy> = {
  prepareForCreate: (claim) => ({
    ...claim,
    metadata: protectedBy("kubernetes.io/pvc-protection", claim),
    spec: withDataSources(record(claim["spec"]), undefined),
    status: { phase: "Pending" },
  }),
  prepareForUpdate: (claim, old) => ({
    ...claim,
    spec: withDataSources(record(claim["spec"]), record(old["spec"])),
  }),
  warnings: claimWarnings,
};

export const storageClasses: Partial<Strategy> = { warnings: storageClassWarnings };

export const storageCapacities: Partial<Strategy> = { warnings: capacityWarnings };

const TOKENS_IN_ATTRIBUTES =
  "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

export const csiDrivers: Partial<Strategy> = {
  warnings(driver, old) {
    const requests = read(driver, "spec", "tokenRequests");
    const asks = array(requests).length > 0 && !equalJson(requests, read(old, "spec", "tokenRequests") ?? null);
    return asks && read(driver, "spec", "serviceAccountTokenInSecrets") === undefined ? [TOKENS_IN_ATTRIBUTES] : [];
  },
};
