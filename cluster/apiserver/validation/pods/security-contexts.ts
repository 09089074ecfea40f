/** Security contexts: what pods and their containers have in common, and what is a container's alone. */
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, fieldTooLong } from "@travelops/kube";
import { type Errors, inRange, oneOf } from "../checks.ts";
import { child, type Fields, has, list, strings, text } from "../fields.ts";
import { relativePath } from "./paths.ts";
import { checkWindowsOptions } from "./windows-options.ts";

const MAX_ID = 2 ** 31 - 1;
const PROFILE_TYPES = ["Localhost", "RuntimeDefault", "Unconfined"];
const MAX_PROFILE = 4095;

const profileShown = (profile: Fields): Fields => ({
  Type: text(profile, "type"),
  LocalhostProfile: profile["localhostProfile"] ?? null,
});

/** Ids of users and groups. */
export const checkId = (value: unknown, path: string, errors: Errors): void => inRange(value, path, 0, MAX_ID, errors);

/** `seccompProfile` of a security context. */
export function checkSeccomp(context: Fields | undefined, path: string, errors: Errors): void {
  const profile = child(context, "seccompProfile");
  if (profile === undefined) return;
  const at = `${path}.seccompProfile`;
  const type = text(profile, "type");
  if (type === "") errors.push(fieldRequired(`${at}.type`, "type is required when seccompProfile is set"));
  else oneOf(type, `${at}.type`, PROFILE_TYPES, errors);
  const local = `${at}.localhostProfile`;
  if (type === "Localhost") {
    if (!has(profile, "localhostProfile"))
      errors.push(fieldRequired(local, "must be set when seccomp type is Localhost"));
    else relativePath(text(profile, "localhostProfile"), local, errors);
  } else if (has(profile, "localhostProfile"))
    errors.push(fieldInvalid(local, profileShown(profile), "can only be set when seccomp type is Localhost"));
}

function localProfile(profile: Fields, path: string, errors: Errors): void {
  const name = profile["localhostProfile"];
  if (typeof name !== "string" || name === "")
    errors.push(fieldRequired(path, "must be set when AppArmor type is Localhost"));
  else if (name.trim() !== name) errors.push(fieldInvalid(path, name, "must not be padded with whitespace"));
  if (typeof name === "string" && Buffer.byteLength(name) > MAX_PROFILE) errors.push(fieldTooLong(path, MAX_PROFILE));
}

/** `appArmorProfile` of a security context. */
export function checkAppArmor(context: Fields | undefined, path: string, errors: Errors): void {
  const profile = child(context, "appArmorProfile");
  if (profile === undefined) return;
  const type = text(profile, "type");
  const at = `${path}.appArmorProfile`;
  const local = `${at}.localhostProfile`;
  if (type === "Localhost") localProfile(profile, local, errors);
  else if (type === "") errors.push(fieldRequired(`${at}.type`, "type is required when appArmorProfile is set"));
  else if (!PROFILE_TYPES.includes(type)) errors.push(fieldNotSupported(`${at}.type`, type, PROFILE_TYPES));
  else if (has(profile, "localhostProfile"))
    errors.push(fieldInvalid(local, profile["localhostProfile"], "can only be set when AppArmor type is Localhost"));
}

/** As upstream shows it in a message: with all fields, by their names inside the server. */
function contextShown(context: Fields): Fields {
  const profile = (key: string): Fields | null => {
    const value = child(context, key);
    return value === undefined ? null : profileShown(value);
  };
  const capabilities = child(context, "capabilities");
  const linux = child(context, "seLinuxOptions");
  const windows = child(context, "windowsOptions");
  const shown = (value: Fields | undefined, of: (value: Fields) => Fields): Fields | null =>
    value === undefined ? null : of(value);
  const as = (key: string): unknown => context[key] ?? null;
  return {
    Capabilities: shown(capabilities, (value) => ({ Add: value["add"] ?? null, Drop: value["drop"] ?? null })),
    Privileged: as("privileged"),
    SELinuxOptions: shown(linux, (value) => ({
      User: text(value, "user"),
      Role: text(value, "role"),
      Type: text(value, "type"),
      Level: text(value, "level"),
    })),
    WindowsOptions: shown(windows, (value) => ({
      GMSACredentialSpecName: value["gmsaCredentialSpecName"] ?? null,
      GMSACredentialSpec: value["gmsaCredentialSpec"] ?? null,
      RunAsUserName: value["runAsUserName"] ?? null,
      HostProcess: value["hostProcess"] ?? null,
    })),
    RunAsUser: as("runAsUser"),
    RunAsGroup: as("runAsGroup"),
    RunAsNonRoot: as("runAsNonRoot"),
    ReadOnlyRootFilesystem: as("readOnlyRootFilesystem"),
    AllowPrivilegeEscalation: as("allowPrivilegeEscalation"),
    ProcMount: as("procMount"),
    SeccompProfile: profile("seccompProfile"),
    AppArmorProfile: profile("appArmorProfile"),
  };
}

function checkEscalation(context: Fields, path: string, errors: Errors): void {
  if (context["allowPrivilegeEscalation"] !== false) return;
  const add = (what: string): void => {
    errors.push(
      fieldInvalid(path, contextShown(context), `cannot set \`allowPrivilegeEscalation\` to false and ${what}`),
    );
  };
  if (context["privileged"] === true) add("`privileged` to true");
  for (const capability of strings(child(context, "capabilities"), "add"))
    if (capability === "CAP_SYS_ADMIN") add("`capabilities.Add` CAP_SYS_ADMIN");
}

/** The security context of one container. */
export function checkContainerSecurity(container: Fields, path: string, hostUsers: boolean, errors: Errors): void {
  const context = child(container, "securityContext");
  if (context === undefined) return;
  const at = `${path}.securityContext`;
  checkId(context["runAsUser"], `${at}.runAsUser`, errors);
  checkId(context["runAsGroup"], `${at}.runAsGroup`, errors);
  const mount = context["procMount"];
  if (has(context, "procMount")) {
    oneOf(mount, `${at}.procMount`, ["Default", "Unmasked"], errors);
    if (hostUsers && mount === "Unmasked")
      errors.push(fieldInvalid(`${at}.procMount`, mount, "`hostUsers` must be false to use `Unmasked`"));
  }
  checkSeccomp(context, at, errors);
  checkEscalation(context, at, errors);
  checkWindowsOptions(context, at, errors);
  checkAppArmor(context, at, errors);
}

const SYSCTL = /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TEXT =
  "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const IPC_SYSCTL = /^(?:kernel\.(?:sem|shmall|shmmax|shmmni|shm_rmid_forced)$|kernel\.msg|fs\.mqueue\.)/;

/** Slashes are dots where the name begins with a segment that a slash ends. */
function dotted(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  if (separator !== "/") return name;
  return name.replaceAll(/[./]/g, (found) => (found === "/" ? "." : "/"));
}

function checkSysctls(context: Fields, spec: Fields, path: string, errors: Errors): void {
  const seen = new Set<string>();
  list(context, "sysctls").forEach((sysctl, i) => {
    const at = `${path}.sysctls[${i}].name`;
    const name = text(sysctl as Fields, "name");
    if (name === "") errors.push(fieldRequired(at));
    else if (name.length > 253 || !SYSCTL.test(name)) errors.push(fieldInvalid(at, name, SYSCTL_TEXT));
    else if (seen.has(name)) errors.push(fieldDuplicate(at, name));
    if (spec["hostNetwork"] === true && dotted(name).startsWith("net."))
      errors.push(fieldInvalid(at, name, "may not be specified when 'hostNetwork' is true"));
    else if (spec["hostIPC"] === true && IPC_SYSCTL.test(dotted(name)))
      errors.push(fieldInvalid(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
  });
}

/** Policies of a pod's security context. The second one takes more only where a feature is on. */
const POLICIES: readonly (readonly [key: string, supported: readonly string[]])[] = [
  ["supplementalGroupsPolicy", ["Merge", "Strict"]],
  ["seLinuxChangePolicy", ["Recursive"]],
];

/** The security context of a pod, and what upstream keeps there of its spec. */
export function checkPodSecurity(spec: Fields, path: string, errors: Errors): void {
  const context = child(spec, "securityContext") ?? {};
  const at = `${path}.securityContext`;
  for (const id of ["fsGroup", "runAsUser", "runAsGroup"]) checkId(context[id], `${at}.${id}`, errors);
  list(context, "supplementalGroups").forEach((id, i) => checkId(id, `${at}.supplementalGroups[${i}]`, errors));
  if (spec["shareProcessNamespace"] === true && spec["hostPID"] === true)
    errors.push(
      fieldInvalid(`${at}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"),
    );
  checkSysctls(context, spec, at, errors);
  if (has(context, "fsGroupChangePolicy"))
    oneOf(context["fsGroupChangePolicy"], `${at}.fsGroupChangePolicy`, ["Always", "OnRootMismatch"], errors);
  checkSeccomp(context, at, errors);
  checkWindowsOptions(context, at, errors);
  checkAppArmor(context, at, errors);
  for (const [key, supported] of POLICIES)
    if (has(context, key)) oneOf(context[key], `${at}.${key}`, supported, errors);
}
