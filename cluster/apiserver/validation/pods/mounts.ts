/** Where containers mount volumes, or get them as devices. */
import { fieldForbidden, fieldInvalid, fieldNotFound, fieldRequired } from "@travelops/kube";
import { type Errors, oneOf, requireText } from "../checks.ts";
import { child, type Fields, has, items, text } from "../fields.ts";
import { hasParent, relativePath } from "./paths.ts";

type Volumes = ReadonlyMap<string, Fields>;

function checkPropagation(mount: Fields, privileged: boolean, path: string, errors: Errors): void {
  if (!has(mount, "mountPropagation")) return;
  const value = mount["mountPropagation"];
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

function checkRecursive(mount: Fields, path: string, errors: Errors): void {
  const at = `${path}.recursiveReadOnly`;
  const value = mount["recursiveReadOnly"] ?? "Disabled";
  if (value === "Disabled") return;
  if (value !== "Enabled" && value !== "IfPossible")
    return oneOf(value, at, ["Disabled", "Enabled", "IfPossible"], errors);
  if (mount["readOnly"] !== true) errors.push(fieldForbidden(at, "may only be specified when readOnly is true"));
  if ((mount["mountPropagation"] ?? "None") !== "None")
    errors.push(fieldForbidden(at, "may only be specified when mountPropagation is None or not specified"));
}

function checkSubPaths(mount: Fields, at: string, list: string, errors: Errors): void {
  const [plain, expression] = [text(mount, "subPath"), text(mount, "subPathExpr")];
  if (plain !== "") relativePath(plain, `${list}.subPath`, errors);
  if (expression === "") return;
  if (plain !== "")
    errors.push(fieldInvalid(`${at}.subPathExpr`, expression, "subPathExpr and subPath are mutually exclusive"));
  relativePath(expression, `${list}.subPathExpr`, errors);
}

/** Mounts of one container. Upstream names some of these fields without an index. */
export function checkMounts(container: Fields, volumes: Volumes, path: string, errors: Errors): void {
  const list = `${path}.volumeMounts`;
  const privileged = child(container, "securityContext")?.["privileged"] === true;
  const devices = new Map(items(container, "volumeDevices").map((one) => [text(one, "name"), text(one, "devicePath")]));
  const devicePaths = new Set(devices.values());
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
    if (devices.has(name)) errors.push(fieldInvalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    if (devicePaths.has(mountPath))
      errors.push(fieldInvalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    checkSubPaths(mount, at, list, errors);
    checkPropagation(mount, privileged, list, errors);
    checkRecursive(mount, list, errors);
  });
}

const BLOCK = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";

/** Volumes that a container gets as devices. */
export function checkDevices(container: Fields, volumes: Volumes, path: string, errors: Errors): void {
  const devices = items(container, "volumeDevices");
  if (devices.length === 0) return;
  const mounts = new Map(items(container, "volumeMounts").map((one) => [text(one, "name"), text(one, "mountPath")]));
  const mountPaths = new Set(mounts.values());
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach((device, i) => {
    const [name, devicePath] = [text(device, "name"), text(device, "devicePath")];
    const [nameAt, pathAt] = [`${path}.volumeDevices[${i}].name`, `${path}.volumeDevices[${i}].devicePath`];
    const volume = volumes.get(name);
    if (name === "") errors.push(fieldRequired(nameAt));
    if (names.has(name)) errors.push(fieldInvalid(nameAt, name, "must be unique"));
    if (volume === undefined) errors.push(fieldNotFound(nameAt, name));
    else if (!has(volume, "persistentVolumeClaim") && !has(volume, "ephemeral"))
      errors.push(fieldInvalid(nameAt, name, BLOCK));
    if (devicePath === "") errors.push(fieldRequired(pathAt));
    if (paths.has(devicePath)) errors.push(fieldInvalid(pathAt, devicePath, "must be unique"));
    if (hasParent(devicePath)) errors.push(fieldInvalid(pathAt, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (mounts.has(name)) errors.push(fieldInvalid(nameAt, name, "must not already exist in volumeMounts"));
    if (mountPaths.has(devicePath))
      errors.push(fieldInvalid(pathAt, devicePath, "must not already exist as a path in volumeMounts"));
    if (name !== "") names.add(name);
  });
}
