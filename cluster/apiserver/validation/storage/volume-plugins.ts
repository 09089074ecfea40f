/** Sources of a PersistentVolume: what each kind of volume needs, in the order upstream looks at them. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from "@travelops/kube";
import { checkText, dnsLabel, dnsSubdomain, type Errors, inRange, oneOf, requireText } from "../checks.ts";
import { csiDriverName } from "./csi-driver-name.ts";
import { child, entries, type Fields, has, list, number, text } from "../fields.ts";
import { noParent } from "../pods/paths.ts";

/** What is wrong with one source of a volume, which is at `path`. */
export type Plugin = (source: Fields, path: string, errors: Errors, volumeName: string) => void;

const needs =
  (...keys: readonly string[]): Plugin =>
  (source, path, errors) => {
    for (const key of keys) requireText(text(source, key), `${path}.${key}`, errors);
  };

const all =
  (...checks: readonly Plugin[]): Plugin =>
  (...given) => {
    for (const check of checks) check(...given);
  };

export const partition: Plugin = (source, path, errors) => {
  const value = number(source, "partition") ?? 0;
  if (value < 0 || value > 255)
    errors.push(fieldInvalid(`${path}.partition`, value, "must be between 1 and 255, inclusive"));
};

/** A reference to a secret has both names, where there is one. */
const secretNames: Plugin = (source, path, errors, volumeName) => {
  const secret = child(source, "secretRef");
  if (secret !== undefined) needs("name", "namespace")(secret, `${path}.secretRef`, errors, volumeName);
};

/** What may be asked of a path of the machine; the first is nothing. */
export const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

const hostPath: Plugin = (source, path, errors) => {
  if (!requireText(text(source, "path"), `${path}.path`, errors)) return;
  noParent(text(source, "path"), `${path}.path`, errors);
  oneOf(text(source, "type"), `${path}.type`, HOST_PATH_TYPES, errors);
};

const glusterfs: Plugin = (source, path, errors) => {
  if (!has(source, "endpointsNamespace")) return;
  const at = `${path}.endpointsNamespace`;
  const namespace = text(source, "endpointsNamespace");
  if (namespace === "")
    errors.push(fieldInvalid(at, "", "if the endpointnamespace is set, it must be a valid namespace name"));
  else checkText(namespace, at, dnsLabel, errors);
};

export const flocker: Plugin = (source, path, errors) => {
  const name = text(source, "datasetName");
  const uuid = text(source, "datasetUUID");
  if (name === "" && uuid === "") errors.push(fieldRequired(path, "one of datasetName and datasetUUID is required"));
  if (name !== "" && uuid !== "")
    errors.push(fieldInvalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
  if (name.includes("/")) errors.push(fieldInvalid(`${path}.datasetName`, name, "must not contain '/'"));
};

const nfs: Plugin = (source, path, errors) => {
  const exported = text(source, "path");
  if (!exported.startsWith("/")) errors.push(fieldInvalid(`${path}.path`, exported, "must be an absolute path"));
};

const monitors: Plugin = (source, path, errors) => {
  if (list(source, "monitors").length === 0) errors.push(fieldRequired(`${path}.monitors`));
};

const PAIRS = "must be a host:port pair or multiple pairs separated by commas";

export const quobyte: Plugin = (source, path, errors) => {
  const registry = text(source, "registry");
  if (registry === "") errors.push(fieldRequired(`${path}.registry`, PAIRS));
  else if (Buffer.byteLength(text(source, "tenant")) >= 65)
    errors.push(fieldRequired(`${path}.tenant`, "must be a UUID and may not exceed a length of 64 characters"));
  else
    for (const pair of registry.split(","))
      if (!/^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair))
        errors.push(fieldInvalid(`${path}.registry`, registry, PAIRS));
  needs("volume")(source, path, errors, "");
};

/** How names of iSCSI nodes look; what starts otherwise is none. */
const ISCSI_NAMES: readonly RegExp[] = [
  /^iqn(?:.*iqn)?\.\d{4}-\d{2}\.[A-Za-z0-9\-.]+:[^,;*&$|\s]+$/s,
  /^eui.[A-Za-z0-9]{16}$/,
  /^naa.[A-Za-z0-9]{32}$/,
];

function iscsiName(value: string, path: string, errors: Errors): void {
  if (!ISCSI_NAMES.some((form) => form.test(value))) errors.push(fieldInvalid(path, value, "must be valid format"));
}

const PORTAL_TOO_LONG =
  "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";

const iscsi: Plugin = (source, path, errors, volumeName) => {
  const portal = text(source, "targetPortal");
  requireText(portal, `${path}.targetPortal`, errors);
  if (has(source, "initiatorName") && Buffer.byteLength(`${volumeName}:${portal}`) > 64)
    errors.push(fieldInvalid(`${path}.targetportal`, portal, PORTAL_TOO_LONG));
  if (requireText(text(source, "iqn"), `${path}.iqn`, errors)) iscsiName(text(source, "iqn"), `${path}.iqn`, errors);
  inRange(number(source, "lun"), `${path}.lun`, 0, 255, errors);
  const secret = child(source, "secretRef");
  const authenticates = source["chapAuthDiscovery"] === true || source["chapAuthSession"] === true;
  if (secret !== undefined) requireText(text(secret, "name"), `${path}.secretRef.name`, errors);
  else if (authenticates) errors.push(fieldRequired(`${path}.secretRef`));
  if (has(source, "initiatorName")) iscsiName(text(source, "initiatorName"), `${path}.initiatorname`, errors);
};

export const fibreChannel: Plugin = (source, path, errors) => {
  const names = list(source, "targetWWNs");
  const ids = list(source, "wwids");
  const at = `${path}.targetWWNs`;
  if (names.length === 0 && ids.length === 0)
    errors.push(fieldRequired(at, "must specify either targetWWNs or wwids, but not both"));
  if (names.length > 0 && ids.length > 0)
    errors.push(fieldInvalid(at, names, "targetWWNs and wwids can not be specified simultaneously"));
  if (names.length === 0) return;
  if (has(source, "lun")) inRange(number(source, "lun"), `${path}.lun`, 0, 255, errors);
  else errors.push(fieldRequired(`${path}.lun`, "lun is required if targetWWNs is specified"));
};

const flexVolume: Plugin = (source, path, errors) => {
  for (const [key] of entries(source, "options")) {
    const prefix = `.${(key.split("/")[0] ?? "").toLowerCase()}`;
    if (prefix.endsWith(".kubernetes.io") || prefix.endsWith(".k8s.io"))
      errors.push(fieldInvalid(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"));
  }
};

const azureFile: Plugin = (source, path, errors) => {
  if (has(source, "secretNamespace")) needs("secretNamespace")(source, path, errors, "");
};

const MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

export const azureDisk: Plugin = (source, path, errors) => {
  const uri = text(source, "diskURI");
  if (has(source, "cachingMode"))
    oneOf(source["cachingMode"], `${path}.cachingMode`, ["None", "ReadOnly", "ReadWrite"], errors);
  if (!has(source, "kind")) return;
  oneOf(source["kind"], `${path}.kind`, ["Dedicated", "Managed", "Shared"], errors);
  const [start, form] = source["kind"] === "Managed" ? ["/subscriptions/", MANAGED_DISK] : ["https://", BLOB_DISK];
  if (!uri.startsWith(start)) errors.push(fieldNotSupported(`${path}.diskURI`, uri, [form]));
};

const local: Plugin = (source, path, errors) => {
  if (requireText(text(source, "path"), `${path}.path`, errors)) noParent(text(source, "path"), `${path}.path`, errors);
};

const storageOs: Plugin = (source, path, errors) => {
  if (requireText(text(source, "volumeName"), `${path}.volumeName`, errors))
    checkText(text(source, "volumeName"), `${path}.volumeName`, dnsLabel, errors);
  const namespace = text(source, "volumeNamespace");
  if (namespace !== "") checkText(namespace, `${path}.volumeNamespace`, dnsLabel, errors);
};

const CSI_SECRETS = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
];

const csi: Plugin = (source, path, errors) => {
  csiDriverName(text(source, "driver"), `${path}.driver`, errors);
  requireText(text(source, "volumeHandle"), `${path}.volumeHandle`, errors);
  for (const key of CSI_SECRETS) {
    const secret = child(source, key);
    if (secret === undefined) continue;
    for (const [part, form] of [
      ["name", dnsSubdomain],
      ["namespace", dnsLabel],
    ] as const) {
      const at = `${path}.${key}.${part}`;
      if (requireText(text(secret, part), at, errors)) checkText(text(secret, part), at, form, errors);
    }
  }
};

interface Kind {
  readonly check: Plugin;
  /** What upstream calls it in paths, where that is not its name. */
  readonly inside?: string;
  readonly beside?: string;
  /** May stand beside another source, as upstream has it. */
  readonly joins?: true;
}

const PLUGINS: Readonly<Record<string, Kind>> = {
  hostPath: { check: hostPath },
  gcePersistentDisk: { check: all(needs("pdName"), partition), inside: "persistentDisk" },
  awsElasticBlockStore: { check: all(needs("volumeID"), partition) },
  glusterfs: { check: all(needs("endpoints", "path"), glusterfs) },
  flocker: { check: flocker },
  nfs: { check: all(needs("server", "path"), nfs) },
  rbd: { check: all(monitors, needs("image")) },
  quobyte: { check: quobyte },
  cephfs: { check: monitors, beside: "cephFS" },
  iscsi: { check: iscsi },
  cinder: { check: all(needs("volumeID"), secretNames) },
  fc: { check: fibreChannel },
  flexVolume: { check: all(needs("driver"), flexVolume), joins: true },
  azureFile: { check: all(needs("secretName", "shareName"), azureFile) },
  vsphereVolume: { check: needs("volumePath") },
  photonPersistentDisk: { check: needs("pdID") },
  portworxVolume: { check: needs("volumeID") },
  azureDisk: { check: all(needs("diskName", "diskURI"), azureDisk) },
  scaleIO: { check: needs("gateway", "system", "volumeName") },
  local: { check: local },
  storageos: { check: all(storageOs, secretNames) },
  csi: { check: csi },
};

/** The sources that a PersistentVolume has, by name. */
export const sourcesOf = (spec: Fields): readonly string[] => Object.keys(PLUGINS).filter((kind) => has(spec, kind));

/** One source, and only one. */
export function checkVolumeSource(spec: Fields, path: string, volumeName: string, errors: Errors): void {
  let found = 0;
  for (const kind of sourcesOf(spec)) {
    const { check, inside = kind, beside = kind, joins } = PLUGINS[kind] ?? { check: needs() };
    if (found > 0 && joins !== true)
      errors.push(fieldForbidden(`${path}.${beside}`, "may not specify more than 1 volume type"));
    else {
      check(child(spec, kind) ?? {}, `${path}.${inside}`, errors, volumeName);
      if (kind === "local" && !has(spec, "nodeAffinity"))
        errors.push(fieldRequired(`${path}.nodeAffinity`, "Local volume requires node affinity"));
    }
    found++;
  }
  if (found === 0) errors.push(fieldRequired(path, "must specify a volume type"));
}
