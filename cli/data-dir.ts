/** One data directory holds all state of one `up`: its layout, in one place. */
import { access, constants, mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { dataDirUnusable } from "./errors.ts";

export interface DataDir {
  readonly root: string;
  /** Who holds the directory, and what runs in it. */
  readonly runFile: string;
  readonly lockFile: string;
  /** Every cluster's context; the hub's is the current one until the user chooses another. */
  readonly kubeconfig: string;
  /** In git's store format, for `credential.helper=store --file=…`. */
  readonly gitCredentials: string;
  /** A user's, for all clusters that have none in their own directory. */
  readonly auditPolicy: string;
  readonly logs: string;
  readonly clusters: string;
  cluster(name: string): string;
  /** Where a cluster's state is moved to when it is deleted: gone at once, however long its removal takes. */
  deletedCluster(name: string): string;
  /** Choices made once for a cluster: index, ports. */
  clusterSettings(name: string): string;
  clusterKubeconfig(name: string): string;
  clusterLog(name: string): string;
}

/** `--data-dir`, else TRAVELOPS_DATA_DIR, else `.travelops` in the working directory. */
export function dataDirOf(flag: string | undefined, env: NodeJS.ProcessEnv, cwd: string): DataDir {
  const root = path.resolve(cwd, flag ?? env["TRAVELOPS_DATA_DIR"] ?? ".travelops");
  const logs = path.join(root, "logs");
  const clusters = path.join(root, "clusters");
  return {
    root,
    runFile: path.join(root, "run.json"),
    lockFile: path.join(root, "lock.db"),
    kubeconfig: path.join(root, "kubeconfig"),
    gitCredentials: path.join(root, "git-credentials"),
    auditPolicy: path.join(root, "audit-policy.yaml"),
    logs,
    clusters,
    cluster: (name) => path.join(clusters, name),
    deletedCluster: (name) => path.join(clusters, `.${name}.deleted`),
    clusterSettings: (name) => path.join(clusters, name, "cluster.json"),
    clusterKubeconfig: (name) => path.join(clusters, name, "kubeconfig"),
    clusterLog: (name) => path.join(logs, `${name}.log`),
  };
}

export async function prepareDataDir(dir: DataDir): Promise<void> {
  try {
    for (const each of [dir.root, dir.logs, dir.clusters]) await makeDirectory(each);
    await access(dir.root, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw dataDirUnusable(dir.root, error instanceof Error ? error.message : String(error));
  }
}

/** As `mkdir` with `recursive`, which never comes back where the file system has no room for names (`/proc/x`). */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(directory)).isDirectory()) return;
    if (code !== "ENOENT" || path.dirname(directory) === directory) throw error;
    await makeDirectory(path.dirname(directory));
    await mkdir(directory, { mode: 0o700 });
  }
}

/** What `down --purge` removes: only what `up` made; a directory that holds other things keeps them. */
export const madeIn = (dir: DataDir): string[] => [
  dir.clusters,
  dir.logs,
  dir.kubeconfig,
  dir.gitCredentials,
  dir.runFile,
  dir.lockFile,
  `${dir.lockFile}-journal`,
];
