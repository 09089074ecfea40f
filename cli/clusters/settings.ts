/** What is chosen once for a cluster and stays while its state exists: its index, hence its ranges, and its ports. */
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import type { DataDir } from "../data-dir.ts";
import { CliError, EXIT, portTaken } from "../errors.ts";
import { replaceJson } from "../replace-file.ts";
import { HUB } from "../run-state.ts";

export interface Ports {
  readonly api: number;
  readonly http: number;
  readonly https: number;
}

export interface ClusterSettings {
  /** Decides the address ranges. */
  readonly index: number;
  readonly ports: Ports;
  readonly nodes: number;
  readonly sandbox: string;
}

/** The hub has 0; the address plan ends with 59. */
const LAST_INDEX = 59;
/** Where the search for a free port starts. */
const PREFERRED: Ports = { api: 16443, http: 18080, https: 18443 };
const WHAT: Record<keyof Ports, string> = {
  api: "the Kubernetes API",
  http: "HTTP of the applications",
  https: "HTTPS of the applications",
};
const PORT_NAMES = ["api", "http", "https"] as const;

/** The lowest index that no other cluster's state has. */
export function chooseIndex(taken: Iterable<number>): number {
  const used = new Set(taken);
  for (let index = 1; index <= LAST_INDEX; index++) if (!used.has(index)) return index;
  throw new CliError(
    "NO_INDEX",
    EXIT.conflict,
    `there are ${LAST_INDEX} managed clusters here, and no address range is left for one more`,
    "delete one: `travelops cluster delete NAME`",
  );
}

/** Those that have state here, the hub among them, by name. */
export async function knownClusters(dir: DataDir): Promise<string[]> {
  const entries = (await readdir(dir.clusters).catch(() => [])).filter((entry) => !entry.startsWith("."));
  const known = await Promise.all(
    entries.map(async (name) => (await exists(dir.clusterSettings(name))) || (await hasState(dir, name))),
  );
  return entries.filter((_name, index) => known[index]).toSorted();
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Whether something was ever written to a cluster: that is never removed but by its deletion. */
export const hasState = (dir: DataDir, name: string): Promise<boolean> => exists(path.join(dir.cluster(name), "store"));

export async function readSettings(dir: DataDir, name: string): Promise<ClusterSettings | undefined> {
  const file = dir.clusterSettings(name);
  try {
    return JSON.parse(await readFile(file, "utf8")) as ClusterSettings;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const why = error instanceof SyntaxError ? "are no JSON" : `cannot be read: ${String(error)}`;
    throw new CliError(
      "SETTINGS_UNREADABLE",
      EXIT.general,
      `the choices of cluster "${name}" in ${file} ${why}`,
      name === HUB
        ? "restore the file, or remove it: ports are then chosen anew"
        : "restore the file, or remove the cluster with `travelops cluster delete`",
    );
  }
}

export async function keepSettings(dir: DataDir, name: string, settings: ClusterSettings): Promise<void> {
  await mkdir(dir.cluster(name), { recursive: true, mode: 0o700 });
  await replaceJson(dir.clusterSettings(name), settings);
}

/** The settings of all clusters but `name`: what it must stay out of the way of. */
export async function settingsOfOthers(dir: DataDir, name: string): Promise<ClusterSettings[]> {
  const others = (await knownClusters(dir)).filter((each) => each !== name);
  const settings = await Promise.all(others.map((each) => readSettings(dir, each)));
  return settings.filter((each) => each !== undefined);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

async function firstFree(from: number, taken: ReadonlySet<number>): Promise<number> {
  for (let port = from; port < from + 500; port++) if (!taken.has(port) && (await isFree(port))) return port;
  throw portTaken(`and the 500 after it`, from, "--api-port, --http-port and --https-port");
}

export interface ChosenPorts {
  readonly ports: Ports;
  /** True where none was asked for or kept from before: others would do as well. */
  readonly chosen: boolean;
}

export interface PortWishes {
  readonly name: string;
  readonly asked: Partial<Ports>;
  /** Of the last time. */
  readonly kept: Ports | undefined;
  readonly others: readonly ClusterSettings[];
}

/** Ports asked for by flag win, then those of the last time, then free ones. Throws when one is taken. */
export async function choosePorts({ name, asked, kept, others }: PortWishes): Promise<ChosenPorts> {
  const ports = { ...PREFERRED };
  const used = new Set(others.flatMap((each) => Object.values(each.ports)));
  let chosen = true;
  for (const each of PORT_NAMES) {
    const fixed = asked[each] ?? kept?.[each];
    if (fixed !== undefined && !(await isFree(fixed)))
      throw portTaken(
        name === HUB ? WHAT[each] : `${WHAT[each]} of cluster ${name}`,
        fixed,
        name === HUB ? `--${each}-port` : undefined,
      );
    if (fixed !== undefined) chosen = false;
    ports[each] = fixed ?? (await firstFree(PREFERRED[each], used));
    used.add(ports[each]);
  }
  return { ports, chosen };
}
