/** One data directory holds all state of one `up`: its layout, in one place. */
import { access, constants, mkdir } from "node:fs/promises";
import path from "node:path";
import { dataDirUnusable } from "./errors.ts";

export interface DataDir {
  readonly root: string;
  /** Who holds the directory: pid and start of the running `up`. */
  readonly runFile: string;
  /** Choices made once: ports. */
  readonly configFile: string;
  readonly kubeconfig: string;
  /** In git's store format, for `credential.helper=store --file=…`. */
  readonly gitCredentials: string;
  readonly logs: string;
  cluster(name: string): string;
  clusterLog(name: string): string;
}

/** `--data-dir`, else TRAVELOPS_DATA_DIR, else `.travelops` in the working directory. */
export function dataDirOf(flag: string | undefined, env: NodeJS.ProcessEnv, cwd: string): DataDir {
  const root = path.resolve(cwd, flag ?? env["TRAVELOPS_DATA_DIR"] ?? ".travelops");
  const logs = path.join(root, "logs");
  return {
    root,
    runFile: path.join(root, "run.json"),
    configFile: path.join(root, "config.json"),
    kubeconfig: path.join(root, "kubeconfig"),
    gitCredentials: path.join(root, "git-credentials"),
    logs,
    cluster: (name) => path.join(root, "clusters", name),
    clusterLog: (name) => path.join(logs, `${name}.log`),
  };
}

export async function prepareDataDir(dir: DataDir): Promise<void> {
  try {
    await mkdir(dir.root, { recursive: true, mode: 0o700 });
    await mkdir(dir.logs, { recursive: true, mode: 0o700 });
    await access(dir.root, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw dataDirUnusable(dir.root, error instanceof Error ? error.message : String(error));
  }
}
