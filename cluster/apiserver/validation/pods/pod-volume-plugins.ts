/** Sources of a pod's volumes that few have: what they must say, where not as in a PersistentVolume. */
import { fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { checkText, dnsLabel, type Errors, inRange, requireText } from "../checks.ts";
import { azureDisk, fibreChannel, flocker, partition, type Plugin, quobyte } from "../storage/volume-plugins.ts";
import { child, entries, type Fields, has, list, text } from "../fields.ts";
import { relativePath } from "./paths.ts";

/** Texts and lists that have to be there. */
export const needs =
  (...keys: readonly string[]): Plugin =>
  (source, path, errors) => {
    for (const key of keys)
      if (list(source, key).length === 0) requireText(text(source, key), `${path}.${key}`, errors);
  };

const both =
  (...checks: readonly Plugin[]): Plugin =>
  (...given) => {
    for (const check of checks) check(...given);
  };

/** A reference to a secret says which. */
const namedSecret: Plugin = (source, path, errors) => {
  const reference = child(source, "secretRef");
  if (reference !== undefined) requireText(text(reference, "name"), `${path}.secretRef.name`, errors);
};

const INITIATORS: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.[a-zA-Z0-9\-.]+:[^,;*&$|\s]+$/,
  eui: /^eui.[a-zA-Z0-9]{16}$/,
  naa: /^naa.[a-zA-Z0-9]{32}$/,
};

function initiator(value: string, path: string, errors: Errors): void {
  const pattern = INITIATORS[value.slice(0, 3)];
  if (pattern === undefined)
    errors.push(fieldInvalid(path, value, "must be valid format starting with iqn, eui, or naa"));
  else if (!pattern.test(value)) errors.push(fieldInvalid(path, value, "must be valid format"));
}

const iscsi: Plugin = (source, path, errors) => {
  needs("targetPortal", "iqn")(source, path, errors, "");
  if (text(source, "iqn") !== "") initiator(text(source, "iqn"), `${path}.iqn`, errors);
  inRange(source["lun"], `${path}.lun`, 0, 255, errors);
  const signsIn = source["chapAuthDiscovery"] === true || source["chapAuthSession"] === true;
  if (signsIn && !has(source, "secretRef")) errors.push(fieldRequired(`${path}.secretRef`));
  if (has(source, "initiatorName")) initiator(text(source, "initiatorName"), `${path}.initiatorname`, errors);
};

const flexVolume: Plugin = (source, path, errors) => {
  needs("driver")(source, path, errors, "");
  for (const [key] of entries(source, "options"))
    if (/(?:^|\.)(?:kubernetes|k8s)\.io$/i.test(key.split("/", 1)[0] ?? ""))
      errors.push(fieldInvalid(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"));
};

const storageOs: Plugin = (source, path, errors) => {
  const name = text(source, "volumeName");
  if (requireText(name, `${path}.volumeName`, errors)) checkText(name, `${path}.volumeName`, dnsLabel, errors);
  const namespace = text(source, "volumeNamespace");
  if (namespace !== "") checkText(namespace, `${path}.volumeNamespace`, dnsLabel, errors);
  namedSecret(source, path, errors, "");
};

const gitRepo: Plugin = (source, path, errors) => {
  needs("repository")(source, path, errors, "");
  relativePath(text(source, "directory"), `${path}.directory`, errors);
};

/** Sources kept from before drivers: by their names in a volume. */
export const OLD_SOURCES: Readonly<Record<string, Plugin>> = {
  gitRepo,
  gcePersistentDisk: both(needs("pdName"), partition),
  awsElasticBlockStore: both(needs("volumeID"), partition),
  iscsi,
  glusterfs: needs("endpoints", "path"),
  flocker,
  rbd: needs("monitors", "image"),
  cinder: both(needs("volumeID"), namedSecret),
  cephfs: needs("monitors"),
  quobyte,
  fc: fibreChannel,
  flexVolume,
  azureFile: needs("secretName", "shareName"),
  vsphereVolume: needs("volumePath"),
  photonPersistentDisk: needs("pdID"),
  portworxVolume: needs("volumeID"),
  azureDisk: both(needs("diskName", "diskURI"), azureDisk),
  storageos: storageOs,
  scaleIO: needs("gateway", "system", "volumeName"),
};

const NOT_IN_TEMPLATES = [
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "ownerReferences",
  "finalizers",
  "managedFields",
];
const isUnset = (key: string, value: unknown): boolean =>
  value === undefined || value === null || value === "" || (key === "generation" && value === 0);

/** Metadata of a claim made for a pod: labels and annotations only. */
export function onlyLabelsAndAnnotations(metadata: Fields | undefined, path: string, errors: Errors): void {
  for (const key of NOT_IN_TEMPLATES)
    if (!isUnset(key, metadata?.[key]))
      errors.push(fieldForbidden(`${path}.${key === "uid" ? "uID" : key}`, "cannot be set"));
}
