/** As whom, and with which rights, a container runs: options of setpriv. */
import type { ContainerSpec } from "./sandbox.ts";

/** Words of ours alone. A process of another user than root has none anyhow, once it is the command. */
export function privileges({ noNewPrivileges, capabilities }: ContainerSpec): string[] {
  const bound =
    capabilities === undefined
      ? []
      : [`--bounding-set=${["-all", ...capabilities.map((name) => `+${name}`)].join(",")}`];
  return [...(noNewPrivileges ? ["--no-new-privs"] : []), ...bound];
}

/** Where a container has all users and groups: those it is to run with. */
export function becoming({ user: { uid, gid, groups } }: ContainerSpec): string[] {
  const more = groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`;
  return [`--reuid=${uid}`, `--regid=${gid}`, more];
}
