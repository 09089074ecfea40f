/** The files that a kubelet manages inside every container: /etc/hosts, /etc/resolv.conf, /etc/hostname, /etc/passwd. */
import type { Pod } from "@travelops/kube/api/types/index.ts";

/** As upstream's GeneratePodHostNameAndDomain. */
export function podHostname(pod: Pod): string {
  const name =
    pod.spec.hostname === undefined || pod.spec.hostname === "" ? (pod.metadata.name ?? "") : pod.spec.hostname;
  return name.slice(0, 63).replace(/[.-]+$/, "");
}

export function podFiles(
  pod: Pod,
  options: { ip: string; dns: { server: string; domain: string }; uid: number; gid: number },
): Record<string, string> {
  const hostname = podHostname(pod);
  return {
    "/etc/hosts": hostsFile(pod, hostname, options),
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

function hostsFile(pod: Pod, hostname: string, { ip, dns }: { ip: string; dns: { domain: string } }): string {
  const { subdomain, hostAliases } = pod.spec;
  const full =
    subdomain === undefined || subdomain === ""
      ? ""
      : `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${dns.domain}\t`;
  const lines = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    `${ip}\t${full}${hostname}`,
  ];
  if (hostAliases !== undefined && hostAliases.length > 0) {
    lines.push("", "# Entries added by HostAliases.");
    for (const alias of hostAliases) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join("\t")}`);
  }
  return `${lines.join("\n")}\n`;
}

function resolvConf(pod: Pod, { server, domain }: { server: string; domain: string }): string {
  const config = pod.spec.dnsConfig ?? {};
  const cluster = pod.spec.dnsPolicy !== "None" && pod.spec.dnsPolicy !== "Default";
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
