/** Containers of a pod. */
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import {
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  inRange,
  oneOf,
  portName,
  portNumber,
  requireText,
} from "./checks.ts";
import { checkEnv } from "./env.ts";
import { child, type Fields, has, items, list, number, strings, text } from "./fields.ts";
import { checkLifecycle, checkProbe } from "./probes.ts";
import { checkResources } from "./resources.ts";
import { checkMounts } from "./volumes.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const MAX_ID = 2 ** 31 - 1;

/** What the pod around a container gives it. */
export interface PodContext {
  readonly volumes: ReadonlySet<string>;
  readonly claims: readonly string[];
  readonly grace: number | undefined;
  readonly hostNetwork: boolean;
  /** Container names used so far. */
  readonly names: Set<string>;
}

function checkPorts(container: Fields, hostNetwork: boolean, path: string, errors: Errors): void {
  const names = new Set<string>();
  items(container, "ports").forEach((port, i) => {
    const at = `${path}.ports[${i}]`;
    const name = text(port, "name");
    if (name !== "") {
      const faults = portName(name);
      for (const fault of faults) errors.push(fieldInvalid(`${at}.name`, name, fault));
      if (faults.length === 0 && names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
      names.add(name);
    }
    const number_ = number(port, "containerPort") ?? 0;
    const host = number(port, "hostPort") ?? 0;
    if (number_ === 0) errors.push(fieldRequired(`${at}.containerPort`));
    else portNumber(number_, `${at}.containerPort`, errors);
    if (host !== 0) portNumber(host, `${at}.hostPort`, errors);
    if (hostNetwork && host !== 0 && host !== number_)
      errors.push(fieldInvalid(`${at}.hostPort`, host, "must match `containerPort` when `hostNetwork` is true"));
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

export function checkSeccomp(context: Fields | undefined, path: string, errors: Errors): void {
  const profile = child(context, "seccompProfile");
  if (profile === undefined) return;
  const at = `${path}.seccompProfile`;
  const type = text(profile, "type");
  if (type === "") errors.push(fieldRequired(`${at}.type`, "type is required when seccompProfile is set"));
  else oneOf(type, `${at}.type`, ["Localhost", "RuntimeDefault", "Unconfined"], errors);
  if (type === "Localhost" && !has(profile, "localhostProfile")) {
    errors.push(fieldRequired(`${at}.localhostProfile`, "must be set when seccomp type is Localhost"));
  } else if (type !== "Localhost" && has(profile, "localhostProfile")) {
    errors.push(
      fieldInvalid(
        `${at}.localhostProfile`,
        profile["localhostProfile"],
        "can only be set when seccomp type is Localhost",
      ),
    );
  }
}

function checkAppArmor(context: Fields | undefined, path: string, errors: Errors): void {
  const profile = child(context, "appArmorProfile");
  if (profile === undefined) return;
  const type = text(profile, "type");
  if (type === "Localhost" && text(profile, "localhostProfile") === "") {
    errors.push(
      fieldRequired(`${path}.appArmorProfile.localhostProfile`, "must be set when AppArmor type is Localhost"),
    );
  } else oneOf(type, `${path}.appArmorProfile.type`, ["Localhost", "RuntimeDefault", "Unconfined"], errors);
}

function checkSecurity(container: Fields, path: string, errors: Errors): void {
  const context = child(container, "securityContext");
  if (context === undefined) return;
  const at = `${path}.securityContext`;
  inRange(context["runAsUser"], `${at}.runAsUser`, 0, MAX_ID, errors);
  inRange(context["runAsGroup"], `${at}.runAsGroup`, 0, MAX_ID, errors);
  if (has(context, "procMount")) oneOf(context["procMount"], `${at}.procMount`, ["Default", "Unmasked"], errors);
  checkSeccomp(context, at, errors);
  checkAppArmor(context, at, errors);
  if (context["allowPrivilegeEscalation"] === false) {
    if (context["privileged"] === true)
      errors.push(fieldInvalid(at, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    if (strings(child(context, "capabilities"), "add").includes("SYS_ADMIN")) {
      errors.push(
        fieldInvalid(
          at,
          context,
          "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
        ),
      );
    }
  }
  const windows = text(child(context, "windowsOptions"), "gmsaCredentialSpecName");
  if (windows !== "" || child(context, "windowsOptions")?.["gmsaCredentialSpecName"] === "") {
    checkText(windows, `${at}.windowsOptions.gmsaCredentialSpecName`, dnsSubdomain, errors);
  }
}

function checkName(container: Fields, path: string, names: Set<string>, errors: Errors): void {
  const name = text(container, "name");
  if (!requireText(name, `${path}.name`, errors)) return;
  checkText(name, `${path}.name`, dnsLabel, errors);
  if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name));
  names.add(name);
}

function checkImage(container: Fields, path: string, errors: Errors): void {
  const image = text(container, "image");
  if (image.trim() !== image)
    errors.push(fieldInvalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
  else requireText(image, `${path}.image`, errors);
  oneOf(text(container, "imagePullPolicy"), `${path}.imagePullPolicy`, ["Always", "IfNotPresent", "Never"], errors);
  oneOf(
    text(container, "terminationMessagePolicy"),
    `${path}.terminationMessagePolicy`,
    ["File", "FallbackToLogsOnError"],
    errors,
  );
}

function checkResizing(container: Fields, path: string, errors: Errors): void {
  if (list(container, "restartPolicyRules").length > 0 && text(container, "restartPolicy") === "")
    errors.push(fieldRequired(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
  for (const policy of items(container, "resizePolicy")) {
    oneOf(text(policy, "resourceName"), `${path}.resizePolicy`, ["cpu", "memory"], errors);
    oneOf(text(policy, "restartPolicy"), `${path}.resizePolicy`, ["NotRequired", "RestartContainer"], errors);
  }
  if (has(container, "restartPolicy"))
    oneOf(container["restartPolicy"], `${path}.restartPolicy`, ["Always", "Never", "OnFailure"], errors);
}

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;

/** One container; `init` containers that end have no probes and hooks. */
function checkContainer(container: Fields, path: string, init: boolean, pod: PodContext, errors: Errors): void {
  checkName(container, path, pod.names, errors);
  checkImage(container, path, errors);
  checkPorts(container, pod.hostNetwork, path, errors);
  checkEnv(container, path, errors);
  checkMounts(container, pod.volumes, path, errors);
  checkResources(child(container, "resources"), `${path}.resources`, pod.claims, errors);
  checkResizing(container, path, errors);
  checkSecurity(container, path, errors);
  if (init && container["restartPolicy"] !== "Always") {
    for (const key of ["lifecycle", ...PROBES]) {
      if (has(container, key))
        errors.push(
          fieldForbidden(`${path}.${key}`, "may not be set for init containers without restartPolicy=Always"),
        );
    }
    return;
  }
  checkLifecycle(container, pod.grace, path, errors);
  for (const probe of PROBES) checkProbe(container, probe, path, errors);
}

export function checkContainers(spec: Fields, path: string, pod: PodContext, errors: Errors): void {
  if (list(spec, "containers").length === 0) errors.push(fieldRequired(`${path}.containers`));
  items(spec, "containers").forEach((container, i) =>
    checkContainer(container, `${path}.containers[${i}]`, false, pod, errors),
  );
  items(spec, "initContainers").forEach((container, i) =>
    checkContainer(container, `${path}.initContainers[${i}]`, true, pod, errors),
  );
  checkHostPorts(items(spec, "containers"), `${path}.containers`, errors);
}
