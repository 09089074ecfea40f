/**
 * The sandbox for machines that refuse namespaces: a container is a plain process of the user, a pod's network is what
 * the preload makes of it in Node programs, and volumes are where their files are. What cannot be real is said.
 */
import type { UsageSample } from "../usage/usage-rate.ts";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, lstatSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EXEC_SCRIPT, shellEnvironment, START_SCRIPT } from "./command-scripts.ts";
import { PodhostClient } from "./podhost-client.ts";
import { launchContainer, type WrappedCommand } from "./podhost-container.ts";
import { podhostNetwork } from "./podhost-network.ts";
import { PODHOST } from "./podhost-file.ts";
import { openLimits, type OpenLimits } from "./open-limits.ts";
import type {
  ContainerSpec,
  LimitEnforcement,
  Mount,
  PodSandbox,
  PodSandboxSpec,
  Sandbox,
  SandboxContainer,
} from "./sandbox.ts";
import { findProgram } from "./tools.ts";
import { isWithin, makeInside } from "../volumes/inside.ts";
import { SERVICE_ACCOUNT_MOUNT } from "@travelops/kube/client/in-cluster.ts";

export interface BareOptions {
  readonly directory: string;
  /** Distinguishes this cluster's processes from all others; stays the same over restarts. */
  readonly clusterId: string;
  /** The network's preload for Node programs. */
  readonly preload?: string;
  /** The dataplane's unix socket. */
  readonly dataplaneSocket?: string;
  /** Where native programs reach the API: `https://127.0.0.1:PORT`. */
  readonly apiServer?: () => string;
  readonly note: string;
}

/** NAME=value in the environment of everything that a bare cluster starts. */
const bareMarker = (clusterId: string): string => `TRAVELOPS_CLUSTER_ID=${clusterId}`;

export async function startBare(options: BareOptions): Promise<Sandbox> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const setpriv = process.platform === "linux" ? findProgram("setpriv") : undefined;
  const sh = findProgram("sh") ?? "/bin/sh";
  const marker = bareMarker(options.clusterId);
  const preload =
    options.preload === undefined
      ? {}
      : {
          NODE_OPTIONS: `--require ${quoteNodeOption(options.preload)}`,
          TRAVELOPS_POD_IP: PODHOST_ADDRESS,
          TRAVELOPS_DATAPLANE: options.dataplaneSocket ?? "",
        };
  // No death signal here: podhost has to outlive the cluster process long enough to end what it has started.
  const child = spawn(process.execPath, [PODHOST], {
    detached: true,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // The sweep's marker goes in another variable, so that podhost does not sweep itself away.
    env: { PATH: process.env["PATH"] ?? "", TRAVELOPS_SWEEP: marker, ...preload },
  });
  const client = await PodhostClient.connect(child);
  // Podhost ends what it has started, unless it is killed itself.
  const swept = client.exited.then(() => sweepAll(marker));
  const prlimit = findProgram("prlimit");
  const limits = await openLimits(client, { clusterId: options.clusterId, sh, prlimit, inside: false });
  // What a killed cluster has left behind.
  await client.request("sweep", { marker });
  return new BareSandbox(options, client, limits, sh, setpriv, swept, () => {
    if (child.connected) child.disconnect();
    setTimeout(() => child.kill("SIGKILL"), 2000).unref();
  });
}

function sweepAll(marker: string): void {
  const { sweep } = createRequire(import.meta.url)("../podhost/processes.cjs") as { sweep(marker: string): number };
  sweep(marker);
}

/** Probes come from here, as upstream's come from the node. */
const PODHOST_ADDRESS = "10.0.0.1";

const quoteNodeOption = (path: string): string => (/[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path);

class BareSandbox implements Sandbox {
  readonly kind = "bare";
  readonly users = { kind: "none" } as const;
  readonly note: string;
  readonly network;
  readonly limits: LimitEnforcement;
  readonly exited: Promise<string>;
  readonly options: BareOptions;
  readonly client: PodhostClient;
  readonly sh: string;
  readonly setpriv: string | undefined;
  readonly setsid = findProgram("setsid");
  readonly #end: () => void;
  readonly #limits: OpenLimits;
  readonly #swept: Promise<void>;

  constructor(
    options: BareOptions,
    client: PodhostClient,
    limits: OpenLimits,
    sh: string,
    setpriv: string | undefined,
    swept: Promise<void>,
    end: () => void,
  ) {
    this.limits = limits.enforced;
    this.#limits = limits;
    this.#swept = swept;
    this.options = options;
    this.client = client;
    this.sh = sh;
    this.setpriv = setpriv;
    this.note = options.note;
    this.exited = client.exited;
    this.network = podhostNetwork("bare", client, () => ({ address: "127.0.0.1", port: 0 }), {
      PATH: process.env["PATH"] ?? "",
      TRAVELOPS_CLUSTER_ID: options.clusterId,
    });
    this.#end = end;
  }

  createPod(spec: PodSandboxSpec): Promise<PodSandbox> {
    return Promise.resolve(new BarePod(this, spec));
  }

  usage(): Promise<readonly UsageSample[]> {
    return this.client.request("usage", {});
  }

  async close(): Promise<void> {
    this.#end();
    await this.#swept;
    await this.#limits.release();
  }
}

class BarePod implements PodSandbox {
  readonly #sandbox: BareSandbox;
  readonly #spec: PodSandboxSpec;
  readonly #running = new Set<SandboxContainer>();

  constructor(sandbox: BareSandbox, spec: PodSandboxSpec) {
    this.#sandbox = sandbox;
    this.#spec = spec;
  }

  get gone(): boolean {
    return !this.#sandbox.client.alive;
  }

  async startContainer(asked: ContainerSpec): Promise<SandboxContainer> {
    const { client, options } = this.#sandbox;
    const mounted = this.#materialise(asked);
    // After the mounts, since it may be one of them.
    const spec = { ...asked, workingDir: this.#workingDirectory(asked) };
    const marker = `TRAVELOPS_CONTAINER_ID=${spec.id}`;
    const env = this.#environment(spec);
    const container = await launchContainer({
      client,
      spec: { ...spec, env },
      command: this.#command(spec, {
        ...env,
        ...mounted,
        TRAVELOPS_CLUSTER_ID: options.clusterId,
        TRAVELOPS_CONTAINER_ID: spec.id,
      }),
      wrapped: false,
      marker,
      pod: this.#spec,
      enter: (_inner, argv, own, tty) =>
        this.#enter(
          [...this.#onTerminal(tty), ...argv],
          { ...own, ...mounted, TRAVELOPS_CLUSTER_ID: options.clusterId, TRAVELOPS_CONTAINER_ID: spec.id },
          spec.workingDir,
        ),
    });
    this.#running.add(container);
    void container.exited.then(() => this.#running.delete(container));
    return container;
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#running].map(async (container) => (await container.kill("SIGKILL"), container.exited)));
    this.#sandbox.client.tell("limits-remove", { pod: this.#spec.uid });
  }

  #command(spec: ContainerSpec, all: Readonly<Record<string, string>>): WrappedCommand {
    const { sh, setpriv } = this.#sandbox;
    const guard =
      setpriv === undefined
        ? []
        : [setpriv, ...(spec.noNewPrivileges ? ["--no-new-privs"] : []), "--pdeathsig", "KILL"];
    const { env, count } = shellEnvironment(all);
    return {
      argv: [
        ...guard,
        sh,
        "-c",
        START_SCRIPT,
        "sh",
        spec.workingDir,
        count,
        ...this.#onTerminal(spec.tty),
        ...spec.argv,
      ],
      env,
    };
  }

  #onTerminal(tty: boolean): string[] {
    const { setsid } = this.#sandbox;
    return tty && setsid !== undefined ? [setsid, "-c", "-w"] : [];
  }

  #enter(argv: readonly string[], env: Readonly<Record<string, string>>, workingDir: string): WrappedCommand {
    const { sh, setpriv } = this.#sandbox;
    const guard = setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"];
    return { argv: [...guard, sh, "-c", EXEC_SCRIPT, "sh", workingDir, ...argv], env };
  }

  /** The preload joins what the pod asks of Node itself. */
  #environment(spec: ContainerSpec): Record<string, string> {
    const { preload, dataplaneSocket } = this.#sandbox.options;
    const { namespace, uid, ip } = this.#spec;
    const own = spec.env["NODE_OPTIONS"];
    const require = preload === undefined ? undefined : `--require ${quoteNodeOption(preload)}`;
    const options = [require, own].filter((one) => one !== undefined && one !== "").join(" ");
    return {
      ...spec.env,
      ...(options === "" ? {} : { NODE_OPTIONS: options }),
      TRAVELOPS_POD_IP: ip,
      TRAVELOPS_POD_NAMESPACE: namespace,
      TRAVELOPS_POD_UID: uid,
      ...(dataplaneSocket === undefined ? {} : { TRAVELOPS_DATAPLANE: dataplaneSocket }),
    };
  }

  /** A working directory that only the image has is made below the mounts. */
  #workingDirectory({ workingDir, directory }: ContainerSpec): string {
    if (existsSync(workingDir)) return workingDir;
    const own = join(directory, "mounts", workingDir);
    mkdirSync(own, { recursive: true });
    return own;
  }

  /**
   * Mount paths cannot be had without namespaces. Each volume is linked below the container's directory under its mount
   * path, and TRAVELOPS_MOUNTS names that directory, for programs that know of it.
   */
  #materialise(spec: ContainerSpec): Record<string, string> {
    const root = join(spec.directory, "mounts");
    mkdirSync(root, { recursive: true });
    const mounts = [...spec.mounts].sort((a, b) => a.target.length - b.target.length);
    for (const mount of mounts) {
      const volume = join(this.#spec.directory, "volumes", "memory", mount.source);
      const source = this.#sourceOf(mount);
      if (mount.type === "tmpfs") mkdirSync(volume, { recursive: true, mode: 0o777 });
      if (mount.type === "tmpfs") makeInside(volume, source, 0o777);
      this.#link(root, mount, source, mounts);
    }
    const temporary = join(spec.directory, "tmp");
    mkdirSync(temporary, { recursive: true });
    const account = spec.mounts.find((mount) => mount.target === SERVICE_ACCOUNT_MOUNT);
    return {
      TRAVELOPS_MOUNTS: root,
      TMPDIR: temporary,
      ...(account === undefined ? {} : { TRAVELOPS_SERVICE_ACCOUNT_MOUNT: account.source }),
      ...(account === undefined ? {} : this.#kubeconfig(spec, account.source)),
    };
  }

  #sourceOf({ type, source, subPath }: Mount): string {
    return type === "tmpfs" ? join(this.#spec.directory, "volumes", "memory", source, subPath ?? "") : source;
  }

  /** A mount inside another volume becomes a link in that volume, made anew with every start. */
  #link(root: string, mount: Mount, source: string, mounts: readonly Mount[]): void {
    const outer = mounts.findLast((other) => other !== mount && isWithin(other.target, mount.target));
    if (outer?.readOnly === true || outer?.file === true) return;
    const place = outer === undefined ? root : this.#sourceOf(outer);
    const target = join(place, outer === undefined ? mount.target : mount.target.slice(outer.target.length));
    const parent = makeInside(place, dirname(target), 0o755);
    const link = join(parent, basename(target));
    if (outer !== undefined && isLink(link)) unlinkSync(link);
    // What a program has made there itself stays.
    if (!existsSync(link)) symlinkSync(source, link);
  }

  /** Native clients (kubectl, helm) look for their account at a path that is not real here: a kubeconfig leads them. */
  #kubeconfig(spec: ContainerSpec, account: string): Record<string, string> {
    const server = this.#sandbox.options.apiServer?.();
    if (server === undefined || spec.env["KUBECONFIG"] !== undefined) return {};
    const file = join(spec.directory, "kubeconfig");
    const named = (name: string, value: object): object[] => [{ name: "pod", [name]: value }];
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "pod",
      clusters: named("cluster", { server, "certificate-authority": join(account, "ca.crt") }),
      users: named("user", { tokenFile: join(account, "token") }),
      contexts: named("context", { cluster: "pod", user: "pod", namespace: this.#spec.namespace }),
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return { KUBECONFIG: file };
  }
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
