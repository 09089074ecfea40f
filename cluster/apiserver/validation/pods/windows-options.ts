/** `windowsOptions` of security contexts, and what pods may not have for the system they are made for. */
import { fieldForbidden, fieldInvalid, type FieldError } from "@travelops/kube";
import { checkText, dnsSubdomain, type Errors } from "../checks.ts";
import { child, type Fields, has, list, text } from "../fields.ts";
import { everyContainer, someContainer } from "./every-container.ts";

const MAX_SPEC = 64 * 1024;
const MAX_DOMAIN = 256;
const MAX_USER = 104;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;
const NETBIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`);
const DOTS_AND_SPACES = /^[. ]+$/;
const BAD_IN_USER = /["/\\:;|=,+*?<>@[\]]/;

/** What is wrong with `DOMAIN\user`. */
function userFaults(name: string): readonly string[] {
  if (name === "") return ["runAsUserName cannot be an empty string"];
  if (CONTROL.test(name)) return ["runAsUserName cannot contain control characters"];
  const parts = name.split("\\");
  if (parts.length > 2) return ["runAsUserName cannot contain more than one backslash"];
  const user = parts.at(-1) ?? "";
  const domain = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const faults: string[] = [];
  const add = (found: boolean, fault: string): void => void (found && faults.push(`runAsUserName's ${fault}`));
  add((domain ?? "").length >= MAX_DOMAIN, `Domain length must be under ${MAX_DOMAIN} characters`);
  add(
    domain !== undefined && !NETBIOS.test(domain) && !DOMAIN.test(domain),
    "Domain doesn't match the NetBios nor the DNS format",
  );
  add(user === "", "User cannot be empty");
  add(user.length > MAX_USER, `User length must not be longer than ${MAX_USER} characters`);
  add(DOTS_AND_SPACES.test(user), "User cannot contain only periods or spaces");
  add(BAD_IN_USER.test(user), 'User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  return faults;
}

/** The options of one security context. */
export function checkWindowsOptions(context: Fields, path: string, errors: Errors): void {
  const options = child(context, "windowsOptions");
  if (options === undefined) return;
  const at = `${path}.windowsOptions`;
  const spec = options["gmsaCredentialSpec"];
  if (has(options, "gmsaCredentialSpecName"))
    checkText(text(options, "gmsaCredentialSpecName"), `${at}.gmsaCredentialSpecName`, dnsSubdomain, errors);
  if (spec === "")
    errors.push(fieldInvalid(`${at}.gmsaCredentialSpec`, spec, "gmsaCredentialSpec cannot be an empty string"));
  else if (typeof spec === "string" && Buffer.byteLength(spec) > MAX_SPEC)
    errors.push(fieldInvalid(`${at}.gmsaCredentialSpec`, spec, "gmsaCredentialSpec size must be under 64 KiB"));
  if (has(options, "runAsUserName"))
    checkText(text(options, "runAsUserName"), `${at}.runAsUserName`, userFaults, errors);
}

const hostProcess = (owner: Fields): unknown =>
  child(child(owner, "securityContext"), "windowsOptions")?.["hostProcess"] ?? undefined;

/** Containers that are processes of the host: all or none, and in its network. */
export function checkHostProcesses(spec: Fields, path: string, errors: Errors): void {
  const ofPod = hostProcess(spec);
  if (ofPod === undefined && !someContainer(spec, (container) => hostProcess(container) !== undefined)) return;
  const all = everyContainer(spec, path);
  let found = 0;
  for (const [container, at] of all) {
    const own = hostProcess(container);
    if (ofPod !== undefined && own !== undefined && own !== ofPod)
      errors.push(
        fieldInvalid(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${JSON.stringify(ofPod)}`,
        ),
      );
    if ((own ?? ofPod) === true) found++;
  }
  if (found === 0) return;
  if (found !== all.length)
    errors.push(
      fieldInvalid(
        path,
        "",
        "If pod contains any hostProcess containers then all containers must be HostProcess containers",
      ),
    );
  if (spec["hostNetwork"] !== true)
    errors.push(
      fieldInvalid(`${path}.hostNetwork`, false, "hostNetwork must be true if pod contains any hostProcess containers"),
    );
}

const NOT_FOR_WINDOWS_PODS = [
  "securityContext.appArmorProfile",
  "securityContext.seLinuxOptions",
  "hostUsers",
  "hostPID",
  "hostIPC",
  "securityContext.seccompProfile",
  "securityContext.fsGroup",
  "securityContext.fsGroupChangePolicy",
  "securityContext.sysctls",
  "shareProcessNamespace",
  "securityContext.runAsUser",
  "securityContext.runAsGroup",
  "securityContext.supplementalGroups",
  "securityContext.supplementalGroupsPolicy",
  "securityContext.seLinuxChangePolicy",
];
const NOT_FOR_WINDOWS_CONTAINERS = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];
/** Set, and not what stands for unset. */
const IGNORED: Readonly<Record<string, (value: unknown) => boolean>> = {
  hostPID: (value) => value === false,
  hostIPC: (value) => value === false,
  sysctls: (value) => Array.isArray(value) && value.length === 0,
};

function forbidden(owner: Fields, key: string, path: string, detail: string): FieldError[] {
  if (!has(owner, key) || IGNORED[key]?.(owner[key]) === true) return [];
  return [fieldForbidden(`${path}.${key}`, detail)];
}

/** Fields that are not for the pod's operating system. */
export function checkOsFields(spec: Fields, path: string, errors: Errors): void {
  const windows = text(child(spec, "os"), "name") === "windows";
  const detail = windows ? "cannot be set for a windows pod" : "windows options cannot be set for a linux pod";
  for (const dotted of windows ? NOT_FOR_WINDOWS_PODS : ["securityContext.windowsOptions"]) {
    const [first = "", second] = dotted.split(".");
    if (second === undefined) errors.push(...forbidden(spec, first, path, detail));
    else errors.push(...forbidden(child(spec, first) ?? {}, second, `${path}.${first}`, detail));
  }
  for (const [container, at] of everyContainer(spec, path)) {
    const context = child(container, "securityContext") ?? {};
    for (const key of windows ? NOT_FOR_WINDOWS_CONTAINERS : ["windowsOptions"])
      errors.push(...forbidden(context, key, `${at}.securityContext`, detail));
  }
}

/** Volumes given as devices do not work with users of the pod's own. */
export function checkHostUsers(spec: Fields, path: string, errors: Errors): void {
  if (spec["hostUsers"] !== false) return;
  const detail = "when `hostUsers` is false";
  for (const [key, field] of [
    ["hostNetwork", "hostNetwork"],
    ["hostPID", "HostPID"],
    ["hostIPC", "HostIPC"],
  ] as const)
    if (spec[key] === true) errors.push(fieldForbidden(`${path}.${field}`, detail));
  for (const [container, at] of everyContainer(spec, path))
    if (list(container, "volumeDevices").length > 0) errors.push(fieldForbidden(`${at}.volumeDevices`, detail));
}
