/** Well-known images that hold nothing but programs which this machine has, too. */
import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CatalogueEntry } from "./package-images.ts";
import { matcher } from "./reference.ts";

interface HostImage {
  readonly references: readonly string[];
  /** Programs that have to be there. */
  readonly needs?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
}

const SHELL = ["sh"];
const NODE_ENTRY = `case $1 in -*) exec node "$@" ;; esac
command -v "$1" >/dev/null && [ ! -d "$1" ] && exec "$@"
exec node "$@"`;

const HOST_IMAGES: readonly HostImage[] = [
  {
    references: [
      "busybox",
      "*/busybox",
      "alpine",
      "*/alpine",
      "debian",
      "*/library/debian",
      "ubuntu",
      "*/library/ubuntu",
      "fedora",
      "*/fedora",
      "*/ubi7/*",
      "*/ubi8/*",
      "*/ubi9/*",
      "*/ubi10/*",
      "*/ubi8",
      "*/ubi9",
      "*/ubi8-minimal",
      "*/ubi9-minimal",
      "*/centos",
      "*/centos/centos",
      "*/rhel7/*",
      "*/rhel8/*",
      "*/rhel9/*",
      "*/e2e-test-images/busybox",
    ],
    cmd: SHELL,
  },
  { references: ["bash", "*/library/bash"], needs: ["bash"], cmd: ["bash"] },
  {
    references: ["*/bitnami/kubectl", "bitnami/kubectl", "*/kubectl", "*/rancher/kubectl", "*/k8s/kubectl"],
    needs: ["kubectl"],
    entrypoint: ["kubectl"],
  },
  {
    references: [
      "*/openshift/cli",
      "*/openshift/origin-cli",
      "*/openshift4/ose-cli",
      "*/openshift4/ose-cli-rhel9",
      "*/openshift/ose-cli",
      "*/openshift/tools",
      "*/validatedpatterns/imperative-container",
      "*/hybridcloudpatterns/imperative-container",
      "*/hybridcloudpatterns/utility-container",
    ],
    needs: ["kubectl"],
    cmd: SHELL,
  },
  { references: ["*/alpine/helm", "alpine/helm"], needs: ["helm"], entrypoint: ["helm"] },
  { references: ["alpine/git", "*/alpine/git", "bitnami/git", "*/bitnami/git"], needs: ["git"], entrypoint: ["git"] },
  { references: ["curlimages/curl", "*/curlimages/curl"], needs: ["curl"], entrypoint: ["curl"] },
  // What is no command is for Node, as the image's own entry point has it.
  {
    references: ["node", "*/library/node"],
    needs: ["node"],
    entrypoint: ["sh", "-c", NODE_ENTRY, "node"],
    cmd: ["node"],
  },
  { references: ["*/nodejs-20", "*/nodejs-22", "*/nodejs-24"], needs: ["node"], cmd: ["node"] },
  { references: ["python", "*/library/python"], needs: ["python3"], cmd: ["python3"] },
];

const PAUSE = ["*/pause", "*/pause-amd64", "*/ose-pod"];

export interface HostPrograms {
  /** Absolute paths by name: kubectl, helm, node; what is not named is looked up on the machine. */
  readonly programs: Readonly<Record<string, string>>;
  find(name: string): string | undefined;
  /** A directory for links (`oc` → kubectl), in front of every PATH. */
  readonly linkDirectory: string;
}

/** The host images that can be had on this machine. */
export function hostImages(host: HostPrograms): CatalogueEntry[] {
  const links: Record<string, string> = { ...host.programs };
  const kubectl = links["kubectl"] ?? host.find("kubectl");
  if (kubectl !== undefined) {
    links["kubectl"] = kubectl;
    links["oc"] = kubectl;
  }
  const view = linkPrograms(host.linkDirectory, links);
  const available = (name: string): boolean => links[name] !== undefined || host.find(name) !== undefined;
  const common = {
    origin: "this machine",
    version: "host",
    env: {},
    workingDir: "/",
    view,
    programs: {},
    path: [host.linkDirectory],
  };
  const entries = HOST_IMAGES.filter(({ needs }) => (needs ?? []).every(available)).map(
    ({ references, entrypoint = [], cmd = [] }): CatalogueEntry => {
      const matchers = references.map(matcher);
      return {
        references,
        matches: (reference) => matchers.some((match) => match(reference)),
        image: { ...common, entrypoint, cmd },
      };
    },
  );
  const pause = PAUSE.map(matcher);
  entries.push({
    references: PAUSE,
    matches: (reference) => pause.some((match) => match(reference)),
    image: {
      ...common,
      entrypoint: ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 2147483647 & wait $!; done"],
      cmd: [],
    },
  });
  return entries;
}

/** Links by which programs outside the system's directories are found; returns what has to be shown for them. */
function linkPrograms(directory: string, links: Readonly<Record<string, string>>): string[] {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const view = new Set([directory]);
  for (const [name, file] of Object.entries(links)) {
    if (!existsSync(file)) continue;
    const link = join(directory, name);
    rmSync(link, { force: true });
    const real = realpathSync(file);
    symlinkSync(real, link);
    if (!/^\/(usr|bin|sbin|opt|nix)\//.test(real)) view.add(name === "node" ? real : dirname(real));
  }
  return [...view];
}
