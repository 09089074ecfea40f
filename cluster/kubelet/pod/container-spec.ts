/** From a container of a pod to what the sandbox is asked to start. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { isAbsolute, join, normalize } from "node:path";
import type { Container, Pod, VolumeMount } from "@travelops/kube/api/types/index.ts";
import { commandLine, type Image } from "../images/image.ts";
import type { ContainerSpec, Mount } from "../sandbox/sandbox.ts";
import type { VolumePlace } from "../volumes/pod-volumes.ts";
import { LeadsOutError, makeInside, realInside } from "../volumes/inside.ts";
import { ConfigError } from "./container-env.ts";
import { expand } from "./expand.ts";
import { podFiles, podHostname } from "./pod-files.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { resourceLimits } from "./resource-limits.ts";
import { terminationFile, terminationMount } from "./termination-message.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ContainerSpecInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: Image;
  /** From env, envFrom and Services. */
  readonly env: Readonly<Record<string, string>>;
  readonly podEnv: Readonly<Record<string, string>>;
  readonly places: ReadonlyMap<string, VolumePlace>;
  readonly ip: string;
  readonly node: string;
  readonly dns: { readonly server: string; readonly domain: string };
  readonly podDirectory: string;
  readonly id: string;
  readonly attempt: number;
}

/** The place of a container's log of one start. */
export const logFile = (podDirectory: string, container: string, attempt: number): string =>
  join(podDirectory, "logs", container, `${attempt}.log`);

/** What one start of a container has on disk. */
export const containerDirectory = (podDirectory: string, container: string, attempt: number): string =>
  join(podDirectory, "containers", container, String(attempt));

/** Throws `ConfigError` where the spec cannot be met. */
export function containerSpec(input: ContainerSpecInput): ContainerSpec {
  const { pod, container, image, ip, dns, podDirectory, attempt } = input;
  const user = userOf(pod, container);
  const path = image.path.length === 0 ? PATH : `${image.path.join(":")}:${PATH}`;
  const env = {
    ...{
      PATH: path,
      HOSTNAME: podHostname(pod, { domain: dns.domain, node: input.node }),
      HOME: user.uid === 0 ? "/root" : "/tmp",
    },
    ...image.env,
    ...input.podEnv,
    ...input.env,
    ...(container.tty === true ? { TERM: "xterm" } : {}),
  };
  const lookup = (name: string): string | undefined => (input.env as Record<string, string | undefined>)[name];
  const argv = commandLine(image, {
    command: container.command?.map((word) => expand(word, lookup)),
    args: container.args?.map((word) => expand(word, lookup)),
  });
  if (argv.length === 0)
    throw new ConfigError(`no command specified: neither the container nor image "${container.image}" has one`);
  const directory = containerDirectory(podDirectory, container.name, attempt);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  mkdirSync(join(podDirectory, "logs", container.name), { recursive: true, mode: 0o755 });
  const mounts = (container.volumeMounts ?? []).map((mount) => resolveMount(mount, input.places, lookup));
  const workingDir =
    container.workingDir === undefined || container.workingDir === "" ? image.workingDir : container.workingDir;
  const files = podFiles(pod, { ip, dns, node: input.node, ...user });
  for (const { target } of mounts) delete files[target];
  return {
    id: input.id,
    name: container.name,
    argv,
    env,
    workingDir: workingDir === "" ? "/" : workingDir,
    mounts: [...mounts, ...terminationMount(container, terminationFile(podDirectory, container.name, attempt))],
    files,
    view: image.view,
    directory,
    log: { file: logFile(podDirectory, container.name, attempt), maxBytes: 10 * 1024 * 1024, maxFiles: 5 },
    user,
    capabilities: capabilitiesOf(container),
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
    noNewPrivileges: container.securityContext?.allowPrivilegeEscalation === false,
    limits: resourceLimits(container.resources),
    stdin: container.stdin === true,
    tty: container.tty === true,
  };
}

/** An image's own user is not known; one that must not be root gets an ordinary number, as OpenShift would give it. */
const UNNAMED_USER = 1000;

function userOf(pod: Pod, container: Container): { uid: number; gid: number; groups: number[] } {
  const own = container.securityContext ?? {};
  const all = pod.spec.securityContext ?? {};
  const nonRoot = own.runAsNonRoot ?? all.runAsNonRoot ?? false;
  const uid = own.runAsUser ?? all.runAsUser ?? (nonRoot ? UNNAMED_USER : 0);
  if (nonRoot && uid === 0)
    throw new ConfigError(
      `container's runAsUser breaks non-root policy (pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`,
    );
  return {
    uid,
    gid: own.runAsGroup ?? all.runAsGroup ?? 0,
    groups: [...new Set([...(all.supplementalGroups ?? []), ...(all.fsGroup === undefined ? [] : [all.fsGroup])])],
  };
}

function resolveMount(
  mount: VolumeMount,
  places: ReadonlyMap<string, VolumePlace>,
  lookup: (name: string) => string | undefined,
): Mount {
  const place = places.get(mount.name);
  if (place === undefined) throw new ConfigError(`cannot find volume "${mount.name}" to mount into container`);
  const target = normalize(mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`).replace(
    /(.)\/$/,
    "$1",
  );
  const subPath =
    mount.subPathExpr !== undefined && mount.subPathExpr !== ""
      ? expand(mount.subPathExpr, (name) => lookup(name) ?? missing(name))
      : mount.subPath;
  if (place.kind === "memory") {
    const inside = subPath === undefined || subPath === "" ? {} : { subPath: checkedSubPath(mount.name, subPath) };
    return { source: place.name, target, type: "tmpfs", readOnly: mount.readOnly === true, file: false, ...inside };
  }
  const readOnly = mount.readOnly === true || place.readOnly;
  if (subPath === undefined || subPath === "")
    return { source: place.path, target, type: "bind", readOnly, file: place.file };
  const source = resolveSubPath(mount.name, place.path, subPath, place.readOnly);
  return { source, target, type: "bind", readOnly, file: statSync(source).isFile() };
}

function missing(name: string): never {
  throw new ConfigError(`missing value for "${name}"`);
}

function checkedSubPath(volume: string, subPath: string): string {
  if (!isAbsolute(subPath) && !subPath.split("/").includes("..")) return subPath;
  throw new ConfigError(
    `failed to prepare subPath for volumeMount "${volume}": subPath must be relative and must not contain ".."`,
  );
}

/** A path inside a volume; links in it must not lead out, since their target would be shown. */
function resolveSubPath(volume: string, base: string, subPath: string, fixed: boolean): string {
  const path = join(base, checkedSubPath(volume, subPath));
  try {
    if (fixed && !existsSync(path))
      throw new ConfigError(
        `failed to prepare subPath for volumeMount "${volume}": ${subPath} does not exist in the volume`,
      );
    return existsSync(path) ? realInside(base, path) : makeInside(base, path, 0o777);
  } catch (error) {
    if (error instanceof LeadsOutError)
      throw new ConfigError(`failed to prepare subPath for volumeMount "${volume}": ${error.message}`);
    throw error;
  }
}
