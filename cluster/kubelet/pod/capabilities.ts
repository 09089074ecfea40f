/** Which capabilities a container may have; they hold in its own user namespace alone. */
import type { Container } from "@travelops/kube/api/types/index.ts";

/** What container runtimes give without being asked. */
const DEFAULT = [
  ...["audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service"],
  ...["net_raw", "setfcap", "setgid", "setpcap", "setuid", "sys_chroot"],
];

const ALL = [
  ...DEFAULT,
  ...["audit_control", "audit_read", "block_suspend", "dac_read_search", "ipc_lock", "ipc_owner", "lease"],
  ...["linux_immutable", "mac_admin", "mac_override", "net_admin", "net_broadcast", "sys_admin", "sys_boot"],
  ...["sys_module", "sys_nice", "sys_pacct", "sys_ptrace", "sys_rawio", "sys_resource", "sys_time"],
  ...["sys_tty_config", "syslog", "wake_alarm"],
];

/** Undefined: all that there are. Names the kernel does not know are left out. */
export function capabilitiesOf({ securityContext = {} }: Container): string[] | undefined {
  if (securityContext.privileged === true) return undefined;
  const { add = [], drop = [] } = securityContext.capabilities ?? {};
  const plain = (name: string): string => name.toLowerCase().replace(/^cap_/, "");
  const dropped = new Set(drop.map(plain));
  const added = new Set(add.map(plain));
  if (added.has("all") && dropped.size === 0) return undefined;
  const granted = new Set(added.has("all") ? ALL : dropped.has("all") ? [] : DEFAULT);
  for (const name of dropped) granted.delete(name);
  for (const name of added) if (ALL.includes(name)) granted.add(name);
  return [...granted].sort();
}
