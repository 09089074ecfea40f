/** What drivers of storage say of themselves: drivers, their nodes, attachments, free capacity. */
import {
  fieldDuplicate,
  fieldInvalid,
  fieldRequired,
  fieldForbidden,
  fieldTooLong,
  type KubeObject,
} from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  checkText,
  dnsSubdomain,
  type Errors,
  labelSelector,
  nonNegative,
  nonNegativeQuantity,
  oneOf,
  qualifiedName,
  requireText,
} from "../checks.ts";
import { immutableValue } from "../comparison/forbidden-change.ts";
import { csiDriverName } from "./csi-driver-name.ts";
import { child, entries, type Fields, has, items, list, number, strings, text } from "../fields.ts";
import { checkInlineVolume } from "./persistent-volumes.ts";

const FS_GROUP_POLICIES = ["File", "None", "ReadWriteOnceWithFSType"];
const SHORTEST_TOKEN = 600;
const LONGEST_TOKEN = 2 ** 32;

function tokenRequests(spec: Fields, errors: Errors): void {
  const audiences = new Set<string>();
  items(spec, "tokenRequests").forEach((request, i) => {
    const path = `spec.tokenRequests[${i}]`;
    const audience = text(request, "audience");
    if (audiences.has(audience)) return void errors.push(fieldDuplicate(`${path}.audience`, audience));
    audiences.add(audience);
    const seconds = number(request, "expirationSeconds");
    if (seconds !== undefined && seconds < SHORTEST_TOKEN)
      errors.push(
        fieldInvalid(`${path}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"),
      );
    if (seconds !== undefined && seconds > LONGEST_TOKEN)
      errors.push(
        fieldInvalid(`${path}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"),
      );
  });
}

export function checkCsiDriver(driver: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(driver, "spec") ?? {};
  if (has(spec, "fsGroupPolicy")) oneOf(spec["fsGroupPolicy"], "spec.fsGroupPolicy", FS_GROUP_POLICIES, errors);
  tokenRequests(spec, errors);
  for (const mode of strings(spec, "volumeLifecycleModes"))
    oneOf(mode, "spec.volumeLifecycleModes", ["Persistent", "Ephemeral"], errors);
  const period = number(spec, "nodeAllocatableUpdatePeriodSeconds");
  if (period !== undefined && period < 10)
    errors.push(
      fieldInvalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"),
    );
  if (has(spec, "serviceAccountTokenInSecrets") && list(spec, "tokenRequests").length === 0)
    errors.push(
      fieldInvalid(
        "spec.serviceAccountTokenInSecrets",
        spec["serviceAccountTokenInSecrets"],
        "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
      ),
    );
  const before = child(old, "spec");
  if (before === undefined) return;
  for (const [key, name] of [
    ["attachRequired", "attachedRequired"],
    ["volumeLifecycleModes", "volumeLifecycleModes"],
  ] as const) {
    if (!equalJson(spec[key] ?? null, before[key] ?? null))
      errors.push(fieldInvalid(`spec.${name}`, spec[key] ?? null, "field is immutable"));
  }
}

const LONGEST_NODE_ID = 256;

function topologyKeys(driver: Fields, path: string, errors: Errors): void {
  const keys = strings(driver, "topologyKeys");
  keys.forEach((key, i) => {
    requireText(key, path, errors);
    if (keys.indexOf(key) !== i) errors.push(fieldDuplicate(path, key));
    checkText(key, path, qualifiedName, errors);
  });
}

export function checkCsiNode(node: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const names = new Set<string>();
  const before = items(child(old, "spec"), "drivers");
  const drivers = items(child(node, "spec"), "drivers");
  drivers.forEach((driver, i) => {
    const path = `spec.drivers[${i}]`;
    const name = text(driver, "name");
    csiDriverName(name, `${path}.name`, errors);
    const id = text(driver, "nodeID");
    requireText(id, `${path}.nodeID`, errors);
    if (Buffer.byteLength(id) > LONGEST_NODE_ID)
      errors.push(fieldInvalid(`${path}.nodeID`, id, `must be ${LONGEST_NODE_ID} characters or less`));
    nonNegative(number(child(driver, "allocatable"), "count"), `${path}.allocatable.count`, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name));
    names.add(name);
    topologyKeys(driver, path, errors);
  });
  const frozen = ({ allocatable: _allocatable, ...rest }: Fields): Fields => rest;
  for (const was of before)
    for (const driver of drivers)
      if (driver["name"] === was["name"] && !equalJson(frozen(driver), frozen(was)))
        errors.push(immutableValue("spec.drivers", "CSINodeDriver", frozen(driver)));
}

const ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

function attachedSource(source: Fields, path: string, errors: Errors): void {
  const inline = child(source, "inlineVolumeSpec");
  const named = has(source, "persistentVolumeName");
  if (inline === undefined && !named) errors.push(fieldRequired(path, ONE_SOURCE));
  else if (inline !== undefined && named) errors.push(fieldForbidden(path, ONE_SOURCE));
  else if (inline !== undefined) checkInlineVolume(inline, `${path}.inlineVolumeSpec`, errors);
  else
    requireText(
      text(source, "persistentVolumeName"),
      `${path}.persistentVolumeName`,
      errors,
      "must specify non empty persistentVolumeName",
    );
}

const LARGEST_METADATA = 256 * 1024;
const LONGEST_MESSAGE = 1024;

function attachmentStatus(attachment: KubeObject, errors: Errors): void {
  const status = child(attachment, "status");
  const size = entries(status, "attachmentMetadata")
    .map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(String(value)))
    .reduce((sum, length) => sum + length, 0);
  if (size > LARGEST_METADATA) errors.push(fieldTooLong("status.attachmentMetadata", LARGEST_METADATA));
  for (const key of ["attachError", "detachError"]) {
    const error = child(status, key);
    if (Buffer.byteLength(text(error, "message")) > LONGEST_MESSAGE)
      errors.push(fieldTooLong(`status.${key}.message`, LARGEST_METADATA));
    const code = number(error, "errorCode");
    if (code !== undefined && code < 0)
      errors.push(fieldInvalid(`status.${key}.errorCode`, code, "must be between 0 and 2147483647, inclusive"));
  }
}

export function checkAttachment(attachment: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(attachment, "spec") ?? {};
  const source = child(spec, "source") ?? {};
  requireText(text(spec, "attacher"), "spec.attacher", errors);
  attachedSource(source, "spec.source", errors);
  checkText(text(spec, "nodeName"), "spec.nodeName", dnsSubdomain, errors);
  attachmentStatus(attachment, errors);
  if (old === undefined) {
    csiDriverName(text(spec, "attacher"), "spec.attacher", errors);
    if (has(source, "persistentVolumeName"))
      checkText(text(source, "persistentVolumeName"), "spec.source.persistentVolumeName", dnsSubdomain, errors);
  } else if (!equalJson(spec, child(old, "spec") ?? {}))
    errors.push(immutableValue("spec", "VolumeAttachmentSpec", spec));
}

export function checkStorageCapacity(capacity: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (old === undefined) {
    labelSelector(child(capacity, "nodeTopology"), "nodeTopology", errors);
    checkText(text(capacity, "storageClassName"), "storageClassName", dnsSubdomain, errors);
    return nonNegativeQuantity(capacity["capacity"], "capacity", errors);
  }
  for (const key of ["nodeTopology", "storageClassName"])
    if (!equalJson(capacity[key] ?? null, old[key] ?? null))
      errors.push(fieldInvalid(key, capacity[key] ?? null, "field is immutable"));
}
