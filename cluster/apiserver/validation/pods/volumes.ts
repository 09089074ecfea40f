/** Volumes of a pod. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube/api/quantity";
import {
  checkAnnotations,
  checkLabels,
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  oneOf,
  requireText,
} from "../checks.ts";
import { checkPullPolicy } from "./images.ts";
import { child, type Fields, has, items, number, text } from "../fields.ts";
import { checkClaimSpec } from "../storage/claims.ts";
import { csiDriverName } from "../storage/csi-driver-name.ts";
import { noParent } from "./paths.ts";
import { needs, OLD_SOURCES, onlyLabelsAndAnnotations } from "./pod-volume-plugins.ts";
import { downwardFiles, fileMode, keysToPaths, projected } from "./projected-volumes.ts";
import { HOST_PATH_TYPES, type Plugin } from "../storage/volume-plugins.ts";

function emptyDir(source: Fields, path: string, errors: Errors): void {
  const size = tryParseQuantity(source["sizeLimit"]);
  if (size !== undefined && size.nano < 0n)
    errors.push(fieldForbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
}

function hostPath(source: Fields, path: string, errors: Errors): void {
  if (!requireText(text(source, "path"), `${path}.path`, errors)) return;
  noParent(text(source, "path"), `${path}.path`, errors);
  oneOf(text(source, "type"), `${path}.type`, HOST_PATH_TYPES, errors);
}

function nfs(source: Fields, path: string, errors: Errors): void {
  needs("server", "path")(source, path, errors, "");
  if (!text(source, "path").startsWith("/"))
    errors.push(fieldInvalid(`${path}.path`, text(source, "path"), "must be an absolute path"));
}

const files =
  (nameKey: string): Plugin =>
  (source, path, errors) => {
    requireText(text(source, nameKey), `${path}.${nameKey}`, errors);
    fileMode(number(source, "defaultMode"), `${path}.defaultMode`, errors);
    keysToPaths(source, path, errors);
  };

function downwardApi(source: Fields, path: string, errors: Errors): void {
  fileMode(number(source, "defaultMode"), `${path}.defaultMode`, errors);
  downwardFiles(source, path, errors);
}

function csi(source: Fields, path: string, errors: Errors): void {
  csiDriverName(text(source, "driver"), `${path}.driver`, errors);
  const secret = child(source, "nodePublishSecretRef");
  if (secret === undefined) return;
  const name = text(secret, "name");
  if (requireText(name, `${path}.nodePublishSecretRef.name`, errors))
    checkText(name, `${path}.name`, dnsSubdomain, errors);
}

function ephemeral(source: Fields, path: string, errors: Errors): void {
  const template = child(source, "volumeClaimTemplate");
  const at = `${path}.volumeClaimTemplate`;
  if (template === undefined) {
    errors.push(fieldRequired(at));
    return;
  }
  const metadata = child(template, "metadata");
  checkAnnotations(metadata, `${at}.metadata.annotations`, errors);
  checkLabels(metadata, "labels", `${at}.metadata.labels`, errors);
  onlyLabelsAndAnnotations(metadata, `${at}.metadata`, errors);
  checkClaimSpec(child(template, "spec"), `${at}.spec`, errors);
}

/** In upstream's order, which decides whose rules are looked at when there are several. */
const ORDER = [
  ..."emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs flocker".split(" "),
  ..."persistentVolumeClaim rbd cinder cephfs quobyte downwardAPI fc flexVolume configMap azureFile".split(" "),
  ..."vsphereVolume photonPersistentDisk portworxVolume azureDisk storageos projected scaleIO csi".split(" "),
  ..."ephemeral image".split(" "),
];

const SOURCES: Readonly<Record<string, Plugin>> = {
  ...OLD_SOURCES,
  emptyDir,
  hostPath,
  secret: files("secretName"),
  nfs,
  persistentVolumeClaim: needs("claimName"),
  downwardAPI: downwardApi,
  configMap: files("name"),
  projected,
  csi,
  ephemeral,
};

/** Where upstream's paths are not the names of the fields. */
const CHECKED_AS: Readonly<Record<string, string>> = { gcePersistentDisk: "persistentDisk" };
const REFUSED_AS: Readonly<Record<string, string>> = { cephfs: "cephFS", downwardAPI: "downwarAPI" };

function image(source: Fields, path: string, ofPod: boolean, errors: Errors): void {
  if (ofPod) requireText(text(source, "reference"), `${path}.reference`, errors);
  checkPullPolicy(text(source, "pullPolicy"), `${path}.pullPolicy`, errors);
}

/** The pod whose volumes they are. */
export interface VolumesOf {
  /** A template of pods says less. */
  readonly ofPod: boolean;
  /** Undefined where it is not known yet. */
  readonly podName: string | undefined;
}

function checkSource(volume: Fields, path: string, { ofPod, podName }: VolumesOf, errors: Errors): void {
  let found = 0;
  for (const kind of ORDER) {
    if (!has(volume, kind)) continue;
    if (found++ > 0) {
      errors.push(fieldForbidden(`${path}.${REFUSED_AS[kind] ?? kind}`, "may not specify more than 1 volume type"));
      continue;
    }
    const source = child(volume, kind) ?? {};
    const name = text(volume, "name");
    if (kind === "image") image(source, `${path}.image`, ofPod, errors);
    else SOURCES[kind]?.(source, `${path}.${CHECKED_AS[kind] ?? kind}`, errors, name);
    if (kind === "ephemeral" && podName !== undefined && name !== "")
      for (const fault of dnsSubdomain(`${podName}-${name}`))
        errors.push(fieldInvalid(`${path}.name`, name, `PVC name ${JSON.stringify(`${podName}-${name}`)}: ${fault}`));
  }
  if (found === 0) errors.push(fieldRequired(path, "must specify a volume type"));
}

/** Volumes of a pod; gives back the sound ones by name. */
export function checkVolumes(spec: Fields, path: string, pod: VolumesOf, errors: Errors): ReadonlyMap<string, Fields> {
  const volumes = items(spec, "volumes");
  const sound = new Map<string, Fields>();
  const made = new Set(
    volumes.filter((volume) => has(volume, "ephemeral")).map((volume) => `${pod.podName}-${text(volume, "name")}`),
  );
  volumes.forEach((volume, i) => {
    const at = `${path}.volumes[${i}]`;
    const name = text(volume, "name");
    const found = errors.length;
    checkSource(volume, at, pod, errors);
    if (requireText(name, `${at}.name`, errors)) checkText(name, `${at}.name`, dnsLabel, errors);
    if (sound.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    // As upstream has it, a faulty volume cannot be mounted.
    if (errors.length === found) sound.set(name, volume);
    const claim = text(child(volume, "persistentVolumeClaim"), "claimName");
    if (pod.podName !== undefined && claim !== "" && made.has(claim))
      errors.push(
        fieldInvalid(
          `${at}.persistentVolumeClaim.claimName`,
          claim,
          "must not reference a PVC that gets created for an ephemeral volume",
        ),
      );
  });
  return sound;
}
