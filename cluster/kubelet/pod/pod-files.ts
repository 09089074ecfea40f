/** The files that a kubelet manages inside every container: /etc/hosts, /etc/resolv.conf, /etc/hostname, /etc/passwd. */
import type { Pod } from "@travelops/kube/api/types/index.ts";

export class HostnameError extends Error {
  override readonly name = "HostnameError";
}

/** The kernel's own limit. */
const LONGEST = 64;

/** The pod's short name and, where it has a subdomain, its full one; as upstream's GeneratePodHostNameAndDomain. */
function names(pod: Pod, domain: string): { short: string; full: string | undefined } {
  const { hostname, subdomain } = pod.spec;
  const short = (hostname === undefined || hostname === "" ? (pod.metadata.name ?? "") : hostname)
    .slice(0, 63)
    .replace(/[.-]+$/, "");
  const under = subdomain === undefined || subdomain === "" ? undefined : subdomain;
  return { short, full: under === undefined ? undefined : `${short}.${under}.${pod.metadata.namespace}.svc.${domain}` };
}

/** What the pod's containers are called. Throws `HostnameError` where the full name is asked for and too long. */
export function podHostname(pod: Pod, where: { domain: string; node?: string }): string {
  const { hostnameOverride, hostNetwork, setHostnameAsFQDN } = pod.spec;
  if (hostnameOverride !== undefined && hostnameOverride !== "") return hostnameOverride;
  if (hostNetwork === true && where.node !== undefined) return where.node;
  const { short, full } = names(pod, where.domain);
  if (setHostnameAsFQDN !== true || full === undefined) return short;
  if (full.length > LONGEST)
    throw new HostnameError(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${LONGEST} characters is the max, ${full.length} characters requested)`,
    );
  return full;
}

export function podFiles(
  pod: Pod,
  options: { ip: string; node: string; dns: { server: string; domain: string }; uid: number; gid: number },
): Record<string, string> {
  const hostname = podHostname(pod, { domain: options.dns.domain, node: options.node });
  return {
    "/etc/hosts": hostsFile(pod, options),
    "/etc/hostname": `${hostname}\n`,
    "/etc/resolv.conf": resolvConf(pod, options.dns),
    "/etc/passwd": accounts(
      "root:x:0:0:root:/root:/bin/sh",
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
      options.uid,
      `user:x:${options.uid}:${options.gid}::/tmp:/bin/sh`,
    ),
    "/etc/group": accounts("root:x:0:", "nogroup:x:65534:", options.gid, `user:x:${options.gid}:`),
  };
}

const accounts = (root: string, nobody: string, id: number, own: string): string =>
  [root, nobody, ...(id === 0 || id === 65534 ? [] : [own]), ""].join("\n");

function hostsFile(pod: Pod, { ip, dns }: { ip: string; dns: { domain: string } }): string {
  const { hostAliases, hostnameOverride } = pod.spec;
  const { short, full } = names(pod, dns.domain);
  const own = hostnameOverride ?? [...(full === undefined ? [] : [full]), short].join("\t");
  const lines = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    `${ip}\t${own}`,
  ];
  if (hostAliases !== undefined && hostAliases.length > 0) {
    lines.push("", "# Entries added by HostAliases.");
    for (const alias of hostAliases) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join("\t")}`);
  }
  return `${lines.join("\n")}\n`;
}

function resolvConf(pod: Pod, { server, domain }: { server: string; domain: string }): string {
  const config = pod.spec.dnsConfig ?? {};
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  const cluster = policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && pod.spec.hostNetwork !== true);
  // Outside names are asked of the cluster's DNS, too: it is the only server that pods can reach.
  const nameservers = [...(pod.spec.dnsPolicy === "None" ? [] : [server]), ...(config.nameservers ?? [])];
  const searches = [
    ...(cluster ? [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain] : []),
    ...(config.searches ?? []),
  ];
  const options = new Map<string, string | undefined>(cluster ? [["ndots", "5"]] : []);
  for (const { name, value } of config.options ?? []) options.set(name, value);
  const words = [...options].map(([name, value]) => (value === undefined || value === "" ? name : `${name}:${value}`));
  return [
    ...(searches.length === 0 ? [] : [`search ${[...new Set(searches)].join(" ")}`]),
    ...[...new Set(nameservers)].map((address) => `nameserver ${address}`),
    ...(words.length === 0 ? [] : [`options ${words.join(" ")}`]),
    "",
  ].join("\n");
}
