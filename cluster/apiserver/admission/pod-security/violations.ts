/** Which checks make up a level at a version, and what they say of a pod. Loaded with the first level that is asked for. */
import * as baseline from "./baseline-checks.ts";
import type { LevelVersion } from "./levels.ts";
import { type Check, type CheckedPod, exceptUserNamespaces, exceptWindows, type Violation } from "./pod-view.ts";
import * as restricted from "./restricted-checks.ts";

/** The version that `latest` means. */
const LATEST = 35;

/** A check as it was from a minor version on; the last one that is not too new counts. */
type Since = readonly (readonly [minor: number, check: Check])[];

const SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
]);
const SYSCTLS_27 = SYSCTLS.union(new Set(["net.ipv4.ip_local_reserved_ports"]));
const SYSCTLS_29 = SYSCTLS_27.union(
  new Set(
    ["keepalive_time", "fin_timeout", "keepalive_intvl", "keepalive_probes"].map((name) => `net.ipv4.tcp_${name}`),
  ),
);
const SYSCTLS_32 = SYSCTLS_29.union(new Set(["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]));
const SELINUX = ["container_t", "container_init_t", "container_kvm_t"];

/** In the order in which violations are told. */
const BASELINE: Readonly<Record<string, Since>> = {
  appArmorProfile: [[0, baseline.appArmorProfile]],
  capabilities_baseline: [[0, baseline.capabilities]],
  hostNamespaces: [[0, baseline.hostNamespaces]],
  hostPathVolumes: [[0, baseline.hostPathVolumes]],
  hostPorts: [[0, baseline.hostPorts]],
  hostProbesAndHostLifecycle: [[34, baseline.hostProbes]],
  privileged: [[0, baseline.privileged]],
  procMount: [
    [0, baseline.procMount],
    [35, exceptUserNamespaces(baseline.procMount)],
  ],
  seLinuxOptions: [
    [0, baseline.seLinuxOptions(SELINUX)],
    [31, baseline.seLinuxOptions([...SELINUX, "container_engine_t"])],
  ],
  seccompProfile_baseline: [
    [0, baseline.seccompAnnotations],
    [19, baseline.seccompProfile],
  ],
  sysctls: [
    [0, baseline.sysctls(SYSCTLS)],
    [27, baseline.sysctls(SYSCTLS_27)],
    [29, baseline.sysctls(SYSCTLS_29)],
    [32, baseline.sysctls(SYSCTLS_32)],
  ],
  windowsHostProcess: [[0, baseline.hostProcess]],
};

const RESTRICTED: Readonly<Record<string, Since>> = {
  allowPrivilegeEscalation: [
    [8, restricted.allowPrivilegeEscalation],
    [25, exceptWindows(restricted.allowPrivilegeEscalation)],
  ],
  capabilities_restricted: [
    [22, restricted.restrictedCapabilities],
    [25, exceptWindows(restricted.restrictedCapabilities)],
  ],
  procMount_restricted: [[35, baseline.procMount]],
  restrictedVolumes: [[0, restricted.restrictedVolumes]],
  runAsNonRoot: [
    [0, restricted.runAsNonRoot],
    [35, exceptUserNamespaces(restricted.runAsNonRoot)],
  ],
  runAsUser: [
    [23, restricted.runAsUser],
    [35, exceptUserNamespaces(restricted.runAsUser)],
  ],
  seccompProfile_restricted: [
    [19, restricted.restrictedSeccomp],
    [25, exceptWindows(restricted.restrictedSeccomp)],
  ],
};

/** Restricted checks that are told in the place of a baseline one. */
const REPLACES: Readonly<Record<string, string>> = {
  capabilities_restricted: "capabilities_baseline",
  procMount_restricted: "procMount",
  restrictedVolumes: "hostPathVolumes",
  seccompProfile_restricted: "seccompProfile_baseline",
};

const at = (since: Since, minor: number): Check | undefined => since.findLast(([from]) => from <= minor)?.[1];

function checksOf({ level, minor: wanted }: LevelVersion): readonly Check[] {
  if (level === "privileged") return [];
  const minor = wanted === "latest" ? LATEST : Math.min(wanted, LATEST);
  const stricter = level === "restricted" ? RESTRICTED : {};
  const active = (checks: Readonly<Record<string, Since>>): readonly (readonly [string, Check])[] =>
    Object.entries(checks).flatMap(([id, since]) => {
      const check = at(since, minor);
      return check === undefined ? [] : [[id, check] as const];
    });
  const more = active(stricter);
  const replaced = new Set(more.map(([id]) => REPLACES[id]));
  return [...active(BASELINE).filter(([id]) => !replaced.has(id)), ...more].map(([, check]) => check);
}

/** Everything that a level holds against a pod. */
export const violations = (pod: CheckedPod, level: LevelVersion): readonly Violation[] =>
  checksOf(level).flatMap((check) => check(pod) ?? []);
