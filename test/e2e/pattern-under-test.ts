/** A pattern that is up, as its users reach it: the command, kubectl, helm, git and HTTP. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { KubeClient } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import type { StatusReport } from "../../cli/status/collect.ts";
import { toolPath } from "../tools.ts";
import { command, type CommandOptions, type Outcome, plainEnvironment } from "./command.ts";
import { type GitClone, gitClone } from "./git-clone.ts";
import { until } from "./until.ts";

const run = promisify(execFile);

export interface PatternUnderTest {
  readonly dataDir: string;
  readonly kubeconfig: string;
  /** Acts as cluster-admin; closed with the pattern. */
  readonly client: KubeClient;
  travelops(...args: string[]): Promise<Outcome>;
  /** stdout of the real kubectl; throws with what it wrote to stderr. */
  kubectl(...args: string[]): Promise<string>;
  helm(...args: string[]): Promise<string>;
  /** The same clients with further environment. */
  withEnvironment(env: Readonly<Record<string, string>>): Pick<PatternUnderTest, "kubectl" | "helm">;
  status(): Promise<StatusReport>;
  clone(): Promise<GitClone>;
  /** Until every Application is Synced and Healthy, at `revision` where one is named. */
  settled(revision?: string): Promise<StatusReport>;
  close(): void;
}

/** Connects to what is up in `dataDir`. */
export function patternIn(dataDir: string, options: Omit<CommandOptions, "dataDir"> = {}): PatternUnderTest {
  const kubeconfig = path.join(dataDir, "kubeconfig");
  const transport = httpsTransport(loadKubeconfig(kubeconfig));
  const clients = (further: Readonly<Record<string, string>>): Pick<PatternUnderTest, "kubectl" | "helm"> => {
    const env = plainEnvironment({ KUBECONFIG: kubeconfig, ...further });
    const tool = async (name: "kubectl" | "helm", args: readonly string[]): Promise<string> =>
      (await run(toolPath(name), args, { env, timeout: 60_000, maxBuffer: 1 << 26 })).stdout;
    return { kubectl: (...args) => tool("kubectl", args), helm: (...args) => tool("helm", args) };
  };
  const travelops = (...args: string[]): Promise<Outcome> => command(args, { ...options, dataDir });
  const status = async (): Promise<StatusReport> =>
    JSON.parse((await travelops("status", "-o", "json")).stdout) as StatusReport;
  return {
    dataDir,
    kubeconfig,
    client: createKubeClient(transport),
    travelops,
    ...clients({}),
    withEnvironment: clients,
    status,
    clone: async () => gitClone(dataDir, await status()),
    settled: (revision) =>
      until(
        `every Application is Synced and Healthy${revision === undefined ? "" : ` at ${revision}`}`,
        async () => {
          const report = await status();
          const open = report.applications.filter(
            (each) =>
              each.sync !== "Synced" ||
              each.health !== "Healthy" ||
              (revision !== undefined && each.revision !== revision),
          );
          if (open.length > 0) throw new Error(JSON.stringify(open));
          return report.applications.length > 0 && report;
        },
        30_000,
      ),
    close: () => transport.close(),
  };
}

/** A directory of its own below the system's temporary one. */
export const scratchDirectory = (): Promise<string> => mkdtemp(path.join(tmpdir(), "travelops-e2e-"));

/** Flags that keep one `up` out of another's way. */
export async function freePorts(): Promise<string[]> {
  const servers = await Promise.all(
    ["--api-port", "--http-port", "--https-port"].map(
      (flag) =>
        new Promise<{ flag: string; port: number; close(): void }>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            const port = typeof address === "object" && address !== null ? address.port : 0;
            resolve({ flag, port, close: () => void server.close() });
          });
        }),
    ),
  );
  for (const server of servers) server.close();
  return servers.map(({ flag, port }) => `${flag}=${port}`);
}

/** `up --detach` on ports of its own; an end that is not well is thrown with what was said, and nothing stays. */
export async function bringUp(flags: readonly string[], options: CommandOptions): Promise<Outcome> {
  const up = await command(["up", "--detach", ...flags, ...(await freePorts())], options);
  if (up.code === 0) return up;
  const log = await clusterLog(options.dataDir);
  await removeAll(options.dataDir);
  throw new Error(`up ended with ${up.code}:\n${up.stderr}\nits log ends with:\n${log.slice(-3000)}`);
}

/** Ends what is up in `dataDir`, whatever state it is in, and removes the directory. */
export async function removeAll(dataDir: string): Promise<void> {
  await command(["down"], { dataDir });
  await rm(dataDir, { recursive: true, force: true });
}

export const clusterLog = (dataDir: string): Promise<string> =>
  readFile(path.join(dataDir, "logs", "hub.log"), "utf8").catch(() => "");
