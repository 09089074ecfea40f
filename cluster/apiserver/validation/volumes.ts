/** Volumes of a pod, and where containers mount them. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotFound, fieldRequired } from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube/api/quantity";
import { checkText, dnsLabel, type Errors, oneOf, requireText } from "./checks.ts";
import { fieldReference, resourceReference } from "./env.ts";
import { child, type Fields, has, items, number, text } from "./fields.ts";
import { checkClaimSpec } from "./claims.ts";

const FILE_FIELDS = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
const MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive";

function fileMode(value: number | undefined, path: string, errors: Errors): void {
  if (value !== undefined && (value < 0 || value > 0o777)) errors.push(fieldInvalid(path, value, MODE_TEXT));
}

const hasParent = (path: string): boolean => path.split("/").includes("..");

function relativePath(value: string, path: string, errors: Errors): void {
  if (value.startsWith("/")) errors.push(fieldInvalid(path, value, "must be a relative path"));
  if (hasParent(value)) errors.push(fieldInvalid(path, value, "must not contain '..'"));
}

/** Files inside a volume: not above it, and not where the kubelet keeps its own. */
function filePath(value: string, path: string, errors: Errors): void {
  relativePath(value, path, errors);
  if (value.startsWith("..") && !hasParent(value)) errors.push(fieldInvalid(path, value, "must not start with '..'"));
}

function keysToPaths(source: Fields, path: string, errors: Errors): void {
  items(source, "items").forEach((item, i) => {
    const at = `${path}.items[${i}]`;
    requireText(text(item, "key"), `${at}.key`, errors);
    if (requireText(text(item, "path"), `${at}.path`, errors)) filePath(text(item, "path"), `${at}.path`, errors);
    fileMode(number(item, "mode"), `${at}.mode`, errors);
  });
}

function downwardFiles(source: Fields, path: string, errors: Errors): void {
  for (const file of items(source, "items")) {
    if (requireText(text(file, "path"), `${path}.path`, errors)) filePath(text(file, "path"), `${path}.path`, errors);
    const field = child(file, "fieldRef");
    const resource = child(file, "resourceFieldRef");
    if (field !== undefined) {
      fieldReference(field, `${path}.fieldRef`, FILE_FIELDS, errors);
      if (resource !== undefined)
        errors.push(
          fieldInvalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
        );
    } else if (resource !== undefined) resourceReference(resource, `${path}.resourceFieldRef`, true, errors);
    else errors.push(fieldRequired(path, "one of fieldRef and resourceFieldRef is required"));
    fileMode(number(file, "mode"), `${path}.mode`, errors);
  }
}

function tokenSource(token: Fields, at: string, path: string, errors: Errors): void {
  const seconds = number(token, "expirationSeconds");
  if (seconds !== undefined && seconds < 600)
    errors.push(fieldInvalid(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
  if (seconds !== undefined && seconds > 2 ** 32)
    errors.push(
      fieldInvalid(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"),
    );
  if (requireText(text(token, "path"), `${path}.path`, errors)) filePath(text(token, "path"), `${path}.path`, errors);
}

function projected(volume: Fields, path: string, errors: Errors): void {
  fileMode(number(volume, "defaultMode"), `${path}.defaultMode`, errors);
  items(volume, "sources").forEach((source, i) => {
    const at = `${path}.sources[${i}]`;
    const kinds = [
      "secret",
      "configMap",
      "downwardAPI",
      "serviceAccountToken",
      "clusterTrustBundle",
      "podCertificate",
    ].filter((kind) => has(source, kind));
    kinds.forEach((kind, index) => {
      const projection = child(source, kind) ?? {};
      if (index > 0) errors.push(fieldForbidden(at, "may not specify more than 1 volume type per source"));
      else if (kind === "secret" || kind === "configMap") {
        requireText(text(projection, "name"), `${at}.${kind}.name`, errors);
        keysToPaths(projection, `${at}.${kind}`, errors);
      } else if (kind === "downwardAPI") downwardFiles(projection, `${at}.downwardAPI`, errors);
      else if (kind === "serviceAccountToken") tokenSource(projection, `${at}.serviceAccountToken`, path, errors);
    });
  });
}

type SourceCheck = (source: Fields, path: string, errors: Errors) => void;

function hostPath(source: Fields, path: string, errors: Errors): void {
  if (!requireText(text(source, "path"), `${path}.path`, errors)) return;
  if (hasParent(text(source, "path")))
    errors.push(fieldInvalid(`${path}.path`, text(source, "path"), "must not contain '..'"));
  oneOf(text(source, "type"), `${path}.type`, HOST_PATH_TYPES, errors);
}

const needs =
  (...keys: readonly string[]): SourceCheck =>
  (source, path, errors) => {
    for (const key of keys) requireText(text(source, key), `${path}.${key}`, errors);
  };

function nfs(source: Fields, path: string, errors: Errors): void {
  needs("server", "path")(source, path, errors);
  if (!text(source, "path").startsWith("/"))
    errors.push(fieldInvalid(`${path}.path`, text(source, "path"), "must be an absolute path"));
}

const files =
  (nameKey: string): SourceCheck =>
  (source, path, errors) => {
    requireText(text(source, nameKey), `${path}.${nameKey}`, errors);
    fileMode(number(source, "defaultMode"), `${path}.defaultMode`, errors);
    keysToPaths(source, path, errors);
  };

function ephemeral(source: Fields, path: string, errors: Errors): void {
  const template = child(source, "volumeClaimTemplate");
  if (template === undefined) errors.push(fieldRequired(`${path}.volumeClaimTemplate`));
  else checkClaimSpec(child(template, "spec"), `${path}.volumeClaimTemplate.spec`, errors);
}

const SOURCES: Readonly<Record<string, SourceCheck>> = {
  emptyDir: (source, path, errors) => {
    const size = tryParseQuantity(source["sizeLimit"]);
    if (size !== undefined && size.nano < 0n)
      errors.push(fieldForbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
  },
  hostPath,
  secret: files("secretName"),
  nfs,
  persistentVolumeClaim: needs("claimName"),
  downwardAPI: (source, path, errors) => {
    fileMode(number(source, "defaultMode"), `${path}.defaultMode`, errors);
    downwardFiles(source, path, errors);
  },
  configMap: files("name"),
  projected,
  csi: needs("driver"),
  ephemeral,
  image: needs("reference"),
};

function checkSource(volume: Fields, path: string, errors: Errors): void {
  const kinds = Object.keys(volume).filter((key) => key !== "name" && has(volume, key));
  if (kinds.length === 0) errors.push(fieldRequired(path, "must specify a volume type"));
  const order = Object.keys(SOURCES);
  kinds.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  kinds.forEach((kind, i) => {
    if (i > 0) errors.push(fieldForbidden(`${path}.${kind}`, "may not specify more than 1 volume type"));
    else SOURCES[kind]?.(child(volume, kind) ?? {}, `${path}.${kind}`, errors);
  });
}

/** Volumes of a pod; gives back their names. */
export function checkVolumes(spec: Fields, path: string, errors: Errors): ReadonlySet<string> {
  const names = new Set<string>();
  items(spec, "volumes").forEach((volume, i) => {
    const at = `${path}.volumes[${i}]`;
    const name = text(volume, "name");
    const found = errors.length;
    checkSource(volume, at, errors);
    if (requireText(name, `${at}.name`, errors)) {
      checkText(name, `${at}.name`, dnsLabel, errors);
      if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    }
    // As upstream has it, a faulty volume cannot be mounted.
    if (errors.length === found) names.add(name);
  });
  return names;
}

function checkPropagation(mount: Fields, privileged: boolean, path: string, errors: Errors): void {
  const value = mount["mountPropagation"];
  if (value === undefined) return;
  oneOf(value, `${path}.mountPropagation`, ["Bidirectional", "HostToContainer", "None"], errors);
  if (value === "Bidirectional" && !privileged) {
    errors.push(
      fieldForbidden(
        `${path}.mountPropagation`,
        "Bidirectional mount propagation is available only to privileged containers",
      ),
    );
  }
}

/** Mounts of one container. Upstream names some of these fields without an index. */
export function checkMounts(container: Fields, volumes: ReadonlySet<string>, path: string, errors: Errors): void {
  const list = `${path}.volumeMounts`;
  const privileged = child(container, "securityContext")?.["privileged"] === true;
  const used = new Set<string>();
  items(container, "volumeMounts").forEach((mount, i) => {
    const at = `${list}[${i}]`;
    const name = text(mount, "name");
    const mountPath = text(mount, "mountPath");
    requireText(name, `${at}.name`, errors);
    if (!volumes.has(name)) errors.push(fieldNotFound(`${at}.name`, name));
    requireText(mountPath, `${at}.mountPath`, errors);
    if (used.has(mountPath)) errors.push(fieldInvalid(`${at}.mountPath`, mountPath, "must be unique"));
    used.add(mountPath);
    if (text(mount, "subPath") !== "") relativePath(text(mount, "subPath"), `${list}.subPath`, errors);
    if (text(mount, "subPathExpr") !== "") {
      if (text(mount, "subPath") !== "")
        errors.push(
          fieldInvalid(
            `${at}.subPathExpr`,
            text(mount, "subPathExpr"),
            "subPathExpr and subPath are mutually exclusive",
          ),
        );
      relativePath(text(mount, "subPathExpr"), `${list}.subPathExpr`, errors);
    }
    checkPropagation(mount, privileged, list, errors);
    const recursive = mount["recursiveReadOnly"];
    if (recursive !== undefined && recursive !== "Disabled" && mount["readOnly"] !== true) {
      errors.push(fieldForbidden(`${list}.recursiveReadOnly`, "may only be specified when readOnly is true"));
    }
  });
}
