/** Containers of a pod. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { checkText, dnsLabel, type Errors, oneOf, portName, portNumber, requireText } from "../checks.ts";
import { checkRestarts } from "./container-restarts.ts";
import { checkEnv } from "./env.ts";
import { child, type Fields, has, items, number, text } from "../fields.ts";
import { checkPullPolicy } from "./images.ts";
import { checkDevices, checkMounts } from "./mounts.ts";
import { checkLifecycle, checkProbe } from "./probes.ts";
import { checkResources } from "./resources.ts";
import { checkContainerSecurity } from "./security-contexts.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];

/** What the pod around a container gives it. */
export interface PodContext {
  readonly volumes: ReadonlyMap<string, Fields>;
  readonly claims: readonly string[];
  readonly grace: number | undefined;
  readonly restartPolicy: string;
  /** Whether users of its containers are the host's. */
  readonly hostUsers: boolean;
}

function checkPorts(container: Fields, path: string, errors: Errors): void {
  const names = new Set<string>();
  items(container, "ports").forEach((port, i) => {
    const at = `${path}.ports[${i}]`;
    const name = text(port, "name");
    if (name !== "") {
      const faults = portName(name);
      for (const fault of faults) errors.push(fieldInvalid(`${at}.name`, name, fault));
      if (faults.length === 0 && names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
      if (faults.length === 0) names.add(name);
    }
    const number_ = number(port, "containerPort") ?? 0;
    const host = number(port, "hostPort") ?? 0;
    if (number_ === 0) errors.push(fieldRequired(`${at}.containerPort`));
    else portNumber(number_, `${at}.containerPort`, errors);
    if (host !== 0) portNumber(host, `${at}.hostPort`, errors);
    if (text(port, "protocol") === "") errors.push(fieldRequired(`${at}.protocol`));
    else oneOf(text(port, "protocol"), `${at}.protocol`, PROTOCOLS, errors);
  });
}

/** No two containers may claim one port of the host. */
function checkHostPorts(containers: readonly Fields[], path: string, errors: Errors): void {
  const seen = new Set<string>();
  containers.forEach((container, i) => {
    items(container, "ports").forEach((port, j) => {
      if ((number(port, "hostPort") ?? 0) === 0) return;
      const key = `${text(port, "protocol")}/${text(port, "hostIP")}/${number(port, "hostPort")}`;
      if (seen.has(key)) errors.push(fieldDuplicate(`${path}[${i}].ports[${j}].hostPort`, key));
      seen.add(key);
    });
  });
}

/** What every kind of container has to say, and may not. */
export function checkContainer(container: Fields, path: string, pod: PodContext, errors: Errors): void {
  const name = text(container, "name");
  if (requireText(name, `${path}.name`, errors)) checkText(name, `${path}.name`, dnsLabel, errors);
  requireText(text(container, "image"), `${path}.image`, errors);
  const message = text(container, "terminationMessagePolicy");
  const messageAt = `${path}.terminationMessagePolicy`;
  if (requireText(message, messageAt, errors)) oneOf(message, messageAt, ["File", "FallbackToLogsOnError"], errors);
  checkPorts(container, path, errors);
  checkEnv(container, path, errors);
  checkMounts(container, pod.volumes, path, errors);
  checkDevices(container, pod.volumes, path, errors);
  checkPullPolicy(text(container, "imagePullPolicy"), `${path}.imagePullPolicy`, errors);
  checkResources(child(container, "resources"), `${path}.resources`, pod.claims, errors);
  checkResizing(container, pod.restartPolicy, `${path}.resizePolicy`, errors);
  checkContainerSecurity(container, path, pod.hostUsers, errors);
}

/** Of a pod only, as upstream has it: in templates such an image was always taken. */
export function checkPadding(container: Fields, path: string, errors: Errors): void {
  const image = text(container, "image");
  if (image.trim() !== image)
    errors.push(fieldInvalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
}

function checkResizing(container: Fields, restartPolicy: string, path: string, errors: Errors): void {
  const seen = new Set<string>();
  items(container, "resizePolicy").forEach((policy, i) => {
    const resource = text(policy, "resourceName");
    const restart = text(policy, "restartPolicy");
    if (seen.has(resource)) errors.push(fieldDuplicate(`${path}[${i}]`, resource));
    seen.add(resource);
    if (requireText(resource, path, errors)) oneOf(resource, path, ["cpu", "memory"], errors);
    if (requireText(restart, path, errors)) oneOf(restart, path, ["NotRequired", "RestartContainer"], errors);
    if (restartPolicy === "Never" && restart !== "NotRequired")
      errors.push(fieldInvalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
  });
}

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const ONLY_LASTING = "may not be set for init containers without restartPolicy=Always";

function checkRunning(container: Fields, path: string, pod: PodContext, errors: Errors): void {
  checkLifecycle(container, pod.grace, path, errors);
  for (const probe of PROBES) checkProbe(container, probe, path, errors);
}

function checkInitContainers(spec: Fields, path: string, pod: PodContext, names: Set<string>, errors: Errors): void {
  items(spec, "initContainers").forEach((container, i) => {
    const at = `${path}.initContainers[${i}]`;
    const name = text(container, "name");
    checkContainer(container, at, pod, errors);
    checkRestarts(container, true, at, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    else if (name !== "") names.add(name);
    // As upstream, which looks at each alone and calls it the first.
    checkHostPorts([container], `${path}.initContainers`, errors);
    if (container["restartPolicy"] === "Always") checkRunning(container, at, pod, errors);
    else
      for (const key of ["lifecycle", ...PROBES])
        if (has(container, key)) errors.push(fieldForbidden(`${at}.${key}`, ONLY_LASTING));
  });
}

/** Containers and init containers of a pod. */
export function checkContainers(spec: Fields, path: string, pod: PodContext, errors: Errors): void {
  const containers = items(spec, "containers");
  if (containers.length === 0) errors.push(fieldRequired(`${path}.containers`));
  const names = new Set<string>();
  containers.forEach((container, i) => {
    const at = `${path}.containers[${i}]`;
    const name = text(container, "name");
    checkContainer(container, at, pod, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    names.add(name);
    checkRunning(container, at, pod, errors);
    checkRestarts(container, false, at, errors);
  });
  checkHostPorts(containers, `${path}.containers`, errors);
  checkInitContainers(spec, path, pod, names, errors);
}
