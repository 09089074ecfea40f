/** The checks of the baseline level, in upstream's words. */
import { child, type Fields, has, items, number, strings, text } from "../../validation/fields.ts";
import {
  type Check,
  containersOf,
  containersWith,
  forbiddenTexts,
  named,
  nameOf,
  plural,
  quoted,
  security,
  setters,
  sorted,
} from "./pod-view.ts";

const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";

export const appArmorProfile: Check = (pod) => {
  const bad = forbiddenTexts(
    pod,
    ["appArmorProfile", "type"],
    (type) => type === "RuntimeDefault" || type === "Localhost",
  );
  const annotations = Object.entries(pod.annotations)
    .filter(
      ([key, value]) =>
        key.startsWith(APP_ARMOR) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  const who = [
    ...(bad.pod || bad.containers.length > 0 ? [setters(bad.pod, bad.containers)] : []),
    ...(annotations.length > 0 ? [plural("annotation", "annotations", annotations.length)] : []),
  ];
  if (who.length === 0) return undefined;
  const values = [...bad.values, ...annotations];
  return {
    reason: plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.length),
    detail: `${who.join(" and ")} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const CAPABILITIES: ReadonlySet<string> = new Set(
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(
    " ",
  ),
);

export const added = (container: Fields): readonly string[] =>
  strings(child(security(container), "capabilities"), "add");

/** Capabilities that are added and may not be. */
export function addedBeyond(
  pod: Parameters<Check>[0],
  allowed: (name: string) => boolean,
): { readonly containers: string[]; readonly detail: string } {
  const containers = containersWith(pod, (container) => added(container).some((name) => !allowed(name)));
  const names = sorted(containersOf(pod).flatMap((container) => added(container).filter((name) => !allowed(name))));
  return {
    containers,
    detail: `${named(containers)} must not include ${quoted(names)} in securityContext.capabilities.add`,
  };
}

export const capabilities: Check = (pod) => {
  const { containers, detail } = addedBeyond(pod, (name) => CAPABILITIES.has(name));
  return containers.length === 0 ? undefined : { reason: "non-default capabilities", detail };
};

export const hostNamespaces: Check = ({ spec }) => {
  const set = ["hostNetwork", "hostPID", "hostIPC"].filter((field) => spec[field] === true);
  return set.length === 0
    ? undefined
    : { reason: "host namespaces", detail: set.map((field) => `${field}=true`).join(", ") };
};

export const hostPathVolumes: Check = ({ spec }) => {
  const names = items(spec, "volumes")
    .filter((volume) => has(volume, "hostPath"))
    .map(nameOf);
  return names.length === 0
    ? undefined
    : { reason: "hostPath volumes", detail: `${plural("volume", "volumes", names.length)} ${quoted(names)}` };
};

const hostPortsOf = (container: Fields): number[] =>
  items(container, "ports")
    .map((port) => number(port, "hostPort") ?? 0)
    .filter((port) => port !== 0);

export const hostPorts: Check = (pod) => {
  const containers = containersWith(pod, (container) => hostPortsOf(container).length > 0);
  if (containers.length === 0) return undefined;
  const ports = sorted(containersOf(pod).flatMap((container) => hostPortsOf(container).map(String)));
  return {
    reason: "hostPort",
    detail: `${named(containers)} ${plural("uses", "use", containers.length)} ${plural("hostPort", "hostPorts", ports.length)} ${ports.join(", ")}`,
  };
};

/** Hosts that probes and hooks of a container go to; "" is the pod itself. */
function askedHosts(container: Fields): string[] {
  const hooks = child(container, "lifecycle");
  return [
    child(container, "livenessProbe"),
    child(container, "readinessProbe"),
    child(container, "startupProbe"),
    child(hooks, "postStart"),
    child(hooks, "preStop"),
  ]
    .flatMap((handler) => [text(child(handler, "httpGet"), "host"), text(child(handler, "tcpSocket"), "host")])
    .filter((host) => host !== "");
}

export const hostProbes: Check = (pod) => {
  const containers = sorted(containersWith(pod, (container) => askedHosts(container).length > 0));
  if (containers.length === 0) return undefined;
  const hosts = sorted(containersOf(pod).flatMap(askedHosts));
  return {
    reason: "probe or lifecycle host",
    detail: `${named(containers)} ${plural("uses", "use", containers.length)} ${plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.length)} ${quoted(hosts)}`,
  };
};

export const privileged: Check = (pod) => {
  const names = containersWith(pod, (container) => security(container)?.["privileged"] === true);
  return names.length === 0
    ? undefined
    : { reason: "privileged", detail: `${named(names)} must not set securityContext.privileged=true` };
};

const mountOf = (container: Fields): string => text(security(container), "procMount");

export const procMount: Check = (pod) => {
  const unusual = (container: Fields): boolean => mountOf(container) !== "" && mountOf(container) !== "Default";
  const names = containersWith(pod, unusual);
  if (names.length === 0) return undefined;
  const types = sorted(containersOf(pod).filter(unusual).map(mountOf));
  return {
    reason: "procMount",
    detail: `${named(names)} must not set securityContext.procMount to ${quoted(types)}`,
  };
};

export const seLinuxOptions =
  (types: readonly string[]): Check =>
  (pod) => {
    const bad: string[] = [];
    let user = false;
    let role = false;
    const wrong = (of: Fields): boolean => {
      const options = child(security(of), "seLinuxOptions");
      if (options === undefined) return false;
      const [type, hasUser, hasRole] = [
        text(options, "type"),
        text(options, "user") !== "",
        text(options, "role") !== "",
      ];
      const known = type === "" || types.includes(type);
      if (!known) bad.push(type);
      user ||= hasUser;
      role ||= hasRole;
      return !known || hasUser || hasRole;
    };
    const ofPod = wrong(pod.spec);
    const containers = containersWith(pod, wrong);
    if (!ofPod && containers.length === 0) return undefined;
    const kinds = sorted(bad);
    const what = [
      ...(kinds.length === 0 ? [] : [`${plural("type", "types", kinds.length)} ${quoted(kinds)}`]),
      ...(user ? ["user may not be set"] : []),
      ...(role ? ["role may not be set"] : []),
    ];
    return {
      reason: "seLinuxOptions",
      detail: `${setters(ofPod, containers)} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
    };
  };

const SECCOMP = "seccomp.security.alpha.kubernetes.io/pod";

/** Before 1.19 seccomp profiles were annotations. */
export const seccompAnnotations: Check = (pod) => {
  const keys = [
    SECCOMP,
    ...containersOf(pod).map((container) => `container.${SECCOMP.slice(0, -3)}${nameOf(container)}`),
  ];
  const bad = sorted(
    keys.flatMap((key) => {
      const value = pod.annotations[key];
      const fine =
        value === undefined ||
        value === "runtime/default" ||
        value === "docker/default" ||
        value.startsWith("localhost/");
      return fine ? [] : [`${key}=${JSON.stringify(value)}`];
    }),
  );
  return bad.length === 0
    ? undefined
    : {
        reason: "seccompProfile",
        detail: `forbidden ${plural("annotation", "annotations", bad.length)} ${bad.join(", ")}`,
      };
};

export const isSeccomp = (type: string): boolean => type === "RuntimeDefault" || type === "Localhost";

export const seccompProfile: Check = (pod) => {
  const bad = forbiddenTexts(pod, ["seccompProfile", "type"], isSeccomp);
  return bad.pod || bad.containers.length > 0
    ? {
        reason: "seccompProfile",
        detail: `${setters(bad.pod, bad.containers)} must not set securityContext.seccompProfile.type to ${quoted(bad.values)}`,
      }
    : undefined;
};

export const sysctls =
  (allowed: ReadonlySet<string>): Check =>
  ({ spec }) => {
    const bad = items(security(spec), "sysctls")
      .map(nameOf)
      .filter((name) => !allowed.has(name));
    return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
  };

export const hostProcess: Check = (pod) => {
  const set = (of: Fields): boolean => child(security(of), "windowsOptions")?.["hostProcess"] === true;
  const containers = containersWith(pod, set);
  const ofPod = set(pod.spec);
  return ofPod || containers.length > 0
    ? {
        reason: "hostProcess",
        detail: `${setters(ofPod, containers)} must not set securityContext.windowsOptions.hostProcess=true`,
      }
    : undefined;
};
