/**
 * The real sandbox: podhost inside a rootless user, mount, PID and network namespace, every pod with a network of its
 * own on a bridge there, every container with its own root, process tree and (locked) user namespace.
 */
import type { UsageSample } from "../usage/usage-rate.ts";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realHostTree, readMountTable, type HostTree, type MountTable } from "./host-tree.ts";
import { writeFstab, writeRoot, type FstabLine } from "./container-root.ts";
import { AS_ROOT_SCRIPT, ENTER_SCRIPT, forOneUser, shellEnvironment } from "./command-scripts.ts";
import { hostId, idMappers, IN_RANGE, pathWith, RANGE_OPTIONS, writePrograms } from "./id-ranges.ts";
import { namespaceScripts, type NamespaceScripts } from "./namespace-scripts.ts";
import { launchContainer, type WrappedCommand } from "./podhost-container.ts";
import { PodhostClient, PodhostError } from "./podhost-client.ts";
import { PODHOST } from "./podhost-file.ts";
import { podhostNetwork } from "./podhost-network.ts";
import { openLimits, type OpenLimits } from "./open-limits.ts";
import { planRoot, SHOWN_ETC } from "./root-plan.ts";
import { becoming, privileges } from "./privileges.ts";
import {
  type ContainerSpec,
  type LimitEnforcement,
  type PodSandbox,
  type PodSandboxSpec,
  type Sandbox,
  type SandboxContainer,
  type SandboxUsers,
} from "./sandbox.ts";
import type { Tools } from "./tools.ts";
import { isWithin } from "../volumes/inside.ts";

export interface NamespacesOptions {
  readonly tools: Tools;
  /** Whether containers can have all users and groups, or one each. */
  readonly users: "range" | "single";
  /** The kubelet's directory below the cluster's data directory; absolute. */
  readonly directory: string;
  /** Never shown to a pod: the cluster's data directory. */
  readonly masked: readonly string[];
  /** The bridge's address and range: `10.128.0.1/16`. */
  readonly gateway: string;
  /** `10.64.0.0/16`: every address of it can be bound beside the pods. */
  readonly serviceRange: string;
  /** Addresses that stand for other clusters: they can be bound beside the pods, too. */
  readonly siblingRange: string;
  /** Addresses of the nodes, on the bridge. */
  readonly nodeAddresses: readonly string[];
  readonly note: string;
  readonly clusterId: string;
}

export async function startNamespaces(options: NamespacesOptions): Promise<Sandbox> {
  const { tools } = options;
  const scripts = namespaceScripts(tools);
  const inside = join(options.directory, "inside");
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  const isRange = options.users === "range";
  const mappers = isRange
    ? writePrograms(join(options.directory, "id-mappers"), idMappers(tools.sh, "outer"))
    : undefined;
  const child = spawn(
    tools.setpriv,
    [
      ...["--pdeathsig", "KILL", tools.unshare, "--user", ...(isRange ? RANGE_OPTIONS : ["--map-root-user"])],
      ...["--mount", "--net", "--pid", "--fork"],
      ...["--kill-child=SIGKILL", "--mount-proc", tools.sh, "-c", scripts.init, "sh", process.execPath, PODHOST],
    ],
    // A session of its own: a terminal's Ctrl-C is for the cluster process alone.
    {
      detached: true,
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { PATH: pathWith(mappers) },
    },
  );
  const client = await PodhostClient.connect(child);
  const limits = await openLimits(client, { clusterId: options.clusterId, ...tools, inside: true });
  const sandbox = new NamespacesSandbox(options, scripts, client, limits, inside, () => {
    if (child.connected) child.disconnect();
    // The answer to a closed channel is immediate; this is for a podhost that hangs.
    setTimeout(() => child.kill("SIGKILL"), 2000).unref();
  });
  try {
    await sandbox.setUp();
  } catch (error) {
    await sandbox.close();
    throw error;
  }
  return sandbox;
}

class NamespacesSandbox implements Sandbox {
  readonly kind = "namespaces";
  readonly note: string;
  readonly network;
  readonly limits: LimitEnforcement;
  readonly users: SandboxUsers;
  readonly exited: Promise<string>;
  readonly options: NamespacesOptions;
  readonly scripts: NamespaceScripts;
  readonly client: PodhostClient;
  readonly inside: string;
  readonly host: HostTree = realHostTree();
  readonly mountTable: MountTable = readMountTable();
  readonly #end: () => void;
  readonly #limits: OpenLimits;
  #links = 0;

  constructor(
    options: NamespacesOptions,
    scripts: NamespaceScripts,
    client: PodhostClient,
    limits: OpenLimits,
    inside: string,
    end: () => void,
  ) {
    this.options = options;
    this.scripts = scripts;
    this.client = client;
    this.limits = limits.enforced;
    this.users = options.users === "range" ? { kind: "range", hostId } : { kind: "single" };
    this.#limits = limits;
    this.inside = inside;
    this.note = options.note;
    this.exited = client.exited;
    this.network = podhostNetwork("namespaces", client, (address, port) => ({ address, port }), {
      PATH: process.env["PATH"] ?? "",
    });
    this.#end = end;
  }

  async setUp(): Promise<void> {
    const { directory, gateway, serviceRange, siblingRange, nodeAddresses } = this.options;
    const names = SHOWN_ETC.filter((name) => ["dir", "file"].includes(this.host.kind(`/etc/${name}`) ?? ""));
    const bind = (source: string, target: string, readOnly: boolean): FstabLine => ({
      source,
      target,
      type: "none",
      options: readOnly ? ["rbind", "ro", ...this.mountTable.flagsOf(source)] : ["bind"],
    });
    const lines = [
      ...["null", "zero", "full", "random", "urandom", "tty"].map((name) =>
        bind(`/dev/${name}`, `${this.inside}/dev/${name}`, false),
      ),
      ...names.map((name) => bind(`/etc/${name}`, `${this.inside}/etc/${name}`, true)),
    ];
    writeFileSync(join(directory, "etc-names"), names.map((name) => `${name}\n`).join(""));
    writeFstab(join(directory, "fstab"), lines);
    await this.script(
      this.scripts.setUp,
      [
        ...[this.inside, gateway, serviceRange, siblingRange],
        ...[join(directory, "etc-names"), join(directory, "fstab"), ...nodeAddresses],
      ],
      "setting up the pods' network",
    );
  }

  async createPod(spec: PodSandboxSpec): Promise<PodSandbox> {
    const link = spec.hostNetwork ? "host" : `v${this.#links++}`;
    const [gateway = ""] = this.options.gateway.split("/");
    const mac = `0a:58:${spec.ip
      .split(".")
      .map((part) => Number(part).toString(16).padStart(2, "0"))
      .join(":")}`;
    const memory = spec.memoryVolumes.flatMap(({ name, sizeBytes, group }) => [
      name,
      `${group === undefined || this.users.kind !== "range" ? "mode=1777" : `mode=2777,gid=${group}`},nosuid,nodev${sizeBytes === undefined ? "" : `,size=${sizeBytes}`}`,
    ]);
    await this.script(
      this.scripts.podUp,
      [this.inside, spec.uid, link, spec.ip, gateway, mac, spec.hostname, ...memory],
      `setting up the network of pod ${spec.namespace}/${spec.name}`,
    );
    const pod = new NamespacesPod(this, spec, link);
    if (spec.shareProcessNamespace) await pod.holdProcesses();
    return pod;
  }

  async script(text: string, args: readonly string[], what: string): Promise<void> {
    const result = await this.client.run([this.options.tools.sh, "-c", text, "sh", ...args], {
      env: { PATH: process.env["PATH"] ?? "" },
    });
    if (result.code !== 0) throw new PodhostError(`${what}: ${result.stderr.trim() || `exit code ${result.code}`}`);
  }

  usage(): Promise<readonly UsageSample[]> {
    return this.client.request("usage", {});
  }

  async close(): Promise<void> {
    this.#end();
    await this.exited;
    await this.#limits.release();
  }
}

class NamespacesPod implements PodSandbox {
  readonly #sandbox: NamespacesSandbox;
  readonly #spec: PodSandboxSpec;
  readonly #link: string;
  readonly #running = new Set<SandboxContainer>();
  #holder: { pid: number; id: string } | undefined;

  constructor(sandbox: NamespacesSandbox, spec: PodSandboxSpec, link: string) {
    this.#sandbox = sandbox;
    this.#spec = spec;
    this.#link = link;
  }

  get gone(): boolean {
    return !this.#sandbox.client.alive;
  }

  /** A process that keeps the shared process namespace and reaps what is orphaned in it, as upstream's pause does. */
  async holdProcesses(): Promise<void> {
    const { client, options } = this.#sandbox;
    const { unshare, sh } = options.tools;
    const id = `hold/${this.#spec.uid}`;
    const argv = [
      unshare,
      "-p",
      "-f",
      "--kill-child=SIGKILL",
      sh,
      "-c",
      "trap : TERM INT HUP; echo ok >&3; exec 3>&-; while :; do sleep 2147483647 & wait $!; done",
    ];
    const started = await client.request<{ inner?: number; error?: string }>("start", {
      key: id,
      argv,
      env: { PATH: process.env["PATH"] ?? "" },
      wrapped: true,
    });
    if (started.inner === undefined)
      throw new PodhostError(`holding the process namespace of ${this.#spec.name}: ${started.error}`);
    this.#holder = { pid: started.inner, id };
  }

  async startContainer(spec: ContainerSpec): Promise<SandboxContainer> {
    const { client } = this.#sandbox;
    for (const { type, source, subPath } of spec.mounts)
      if (type === "tmpfs" && subPath !== undefined)
        await this.#makeInMemory(join(this.#memory, source), subPath, false);
    const container = await launchContainer({
      client,
      spec,
      command: await this.#command(spec),
      wrapped: true,
      pod: this.#spec,
      marker: this.#holder === undefined ? undefined : `TRAVELOPS_CONTAINER_ID=${spec.id}`,
      enter: (inner, argv, env, tty) => this.#enter(inner, [...this.#onTerminal(tty), ...argv], env, spec),
    });
    this.#running.add(container);
    void container.exited.then(() => this.#running.delete(container));
    return container;
  }

  async remove(): Promise<void> {
    if (this.gone) return;
    const { client, scripts, inside } = this.#sandbox;
    await Promise.all([...this.#running].map(async (container) => (await container.kill("SIGKILL"), container.exited)));
    if (this.#holder !== undefined)
      await client.request("signal", { key: this.#holder.id, signal: "SIGKILL", all: true });
    await this.#sandbox.script(
      scripts.podDown,
      [inside, this.#spec.uid, this.#link],
      `taking down pod ${this.#spec.name}`,
    );
    client.tell("limits-remove", { pod: this.#spec.uid });
  }

  /** Where the pod's memory volumes are; podhost alone sees them. */
  get #memory(): string {
    return join(this.#sandbox.inside, "pods", this.#spec.uid, "mem");
  }

  async #makeInMemory(volume: string, path: string, file: boolean): Promise<void> {
    const parts = path.split("/").filter((part) => part !== "");
    const name = file ? (parts.pop() ?? "-") : "-";
    await this.#sandbox.script(
      this.#sandbox.scripts.inMemory,
      [volume, name, ...parts],
      `preparing ${path} in the volume ${volume.slice(this.#memory.length + 1)}`,
    );
  }

  async #command(spec: ContainerSpec): Promise<WrappedCommand> {
    const { scripts, options, inside, host, mountTable } = this.#sandbox;
    const { nsenter, unshare, setpriv, sh } = options.tools;
    const mounts = spec.mounts.map((mount) =>
      mount.type === "tmpfs"
        ? { ...mount, type: "bind" as const, source: join(this.#memory, mount.source, mount.subPath ?? "") }
        : mount,
    );
    const plan = planRoot({
      host,
      etcView: `${inside}/etc`,
      view: spec.view,
      mounts,
      files: spec.files,
      workingDir: spec.workingDir,
    });
    const isInMemory = ({ volume }: { volume: string }): boolean => isWithin(this.#memory, volume);
    for (const { volume, path, file } of plan.inVolumes.filter(isInMemory))
      await this.#makeInMemory(volume, path.slice(volume.length), file);
    const { root, fstab } = writeRoot({
      directory: spec.directory,
      plan: { ...plan, inVolumes: plan.inVolumes.filter((point) => !isInMemory(point)) },
      mountTable,
      masked: options.masked,
      programs: this.#isRange ? { [IN_RANGE]: idMappers(sh, "inner") } : {},
      devices: `${inside}/dev`,
      sharedMemory: join(inside, "pods", this.#spec.uid, "shm"),
      empty: `${inside}/empty`,
    });
    const entered = this.#link === "host" ? [] : [`--net=${inside}/net/${this.#spec.uid}`];
    const joined = this.#holder === undefined ? [] : [`--pid=/proc/${this.#holder.pid}/ns/pid`];
    // Into a shared process namespace it is nsenter that forks and waits; a new one needs somebody who does.
    const processes = this.#holder === undefined ? ["-m", "-p", sh, "-c", scripts.wait, "sh"] : ["-m"];
    const { env, count } = shellEnvironment(spec.env);
    return {
      argv: [
        ...[
          nsenter,
          ...entered,
          `--uts=${inside}/uts/${this.#spec.uid}`,
          `--ipc=${inside}/ipc/${this.#spec.uid}`,
          ...joined,
          unshare,
          ...processes,
        ],
        ...[
          setpriv,
          "--pdeathsig",
          "KILL",
          sh,
          "-c",
          scripts.container,
          "sh",
          fstab,
          root,
          String(spec.user.uid),
          String(spec.user.gid),
          this.#isRange ? IN_RANGE : "-",
        ],
        ...[
          spec.readOnlyRoot ? ["ro", ...mountTable.flagsOf(root)].join(",") : "-",
          [...(this.#isRange ? becoming(spec) : []), ...privileges(spec)].join(" "),
          this.#processLimit ?? "-",
        ],
        ...[spec.workingDir, count, ...this.#onTerminal(spec.tty), ...spec.argv],
      ],
      env: {
        ...env,
        TRAVELOPS_ENTER: ENTER_SCRIPT,
        ...(this.#isRange ? { TRAVELOPS_AS_ROOT: AS_ROOT_SCRIPT } : {}),
        ...(this.#holder === undefined ? {} : { TRAVELOPS_CONTAINER_ID: spec.id }),
      },
    };
  }

  get #isRange(): boolean {
    return this.#sandbox.options.users === "range";
  }

  /** Where no group counts the pod's processes, each container counts its own. */
  get #processLimit(): string | undefined {
    const most = this.#spec.limits?.pids;
    return this.#sandbox.limits.pids === "rlimit" && most !== undefined ? `--nproc=${most}` : undefined;
  }

  #onTerminal(tty: boolean): string[] {
    const { setsid } = this.#sandbox.options.tools;
    return tty && setsid !== undefined ? [setsid, "-c", "-w"] : [];
  }

  #enter(
    inner: number,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    spec: ContainerSpec,
  ): WrappedCommand {
    const { nsenter, setpriv, sh, prlimit } = this.#sandbox.options.tools;
    const limit = this.#processLimit;
    return {
      argv: [
        ...[nsenter, "-t", String(inner), "-U", "-m", "-n", "-u", "-i", "-p", "--preserve-credentials"],
        ...(limit === undefined || prlimit === undefined ? [] : [prlimit, limit]),
        ...[setpriv, "--pdeathsig", "KILL", ...(this.#isRange ? becoming(spec) : []), ...privileges(spec), sh, "-c"],
        ...[this.#sandbox.scripts.exec, "sh", spec.workingDir, ...argv],
      ],
      env: this.#isRange ? env : forOneUser(argv, env),
    };
  }
}
