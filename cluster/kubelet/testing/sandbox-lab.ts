/** A sandbox without a kubelet: pods started by hand. */
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseSandbox } from "../sandbox/probe.ts";
import type {
  ContainerSpec,
  Mount,
  PodSandbox,
  PodSandboxSpec,
  Sandbox,
  SandboxContainer,
} from "../sandbox/sandbox.ts";
import { startSandbox } from "../sandbox/start-sandbox.ts";

export interface SandboxLab {
  readonly sandbox: Sandbox;
  readonly directory: string;
  readonly clusterId: string;
  pod(spec?: Partial<PodSandboxSpec>): Promise<LabPod>;
  close(): Promise<void>;
}

export interface LabPod {
  readonly pod: PodSandbox;
  readonly ip: string;
  readonly directory: string;
  start(argv: readonly string[], spec?: Partial<ContainerSpec>): Promise<SandboxContainer>;
  /** Runs a shell script to its end; what it printed (both streams) and its exit code. */
  shell(script: string, spec?: Partial<ContainerSpec>): Promise<{ code: number; text: string }>;
  volume(name: string): string;
}

let serial = 0;

export async function startSandboxLab(
  kind: "namespaces" | "bare",
  directory: string = mkdtempSync(join(tmpdir(), "travelops-sandbox-")),
): Promise<SandboxLab> {
  const clusterId = `lab-${process.pid}-${serial++}`;
  const sandbox = await startSandbox(await chooseSandbox(kind), {
    directory,
    masked: [directory],
    gateway: "10.128.0.1/16",
    serviceRange: "10.64.0.0/16",
    siblingRange: "10.127.0.0/16",
    nodeAddresses: ["10.128.1.1"],
    clusterId,
  });
  let pods = 0;
  return {
    sandbox,
    directory,
    clusterId,
    async pod(spec = {}) {
      const number = pods++;
      const uid = `pod-${number}`;
      const podDirectory = join(directory, "pods", uid);
      mkdirSync(podDirectory, { recursive: true });
      const ip = `10.128.0.${10 + number}`;
      const pod = await sandbox.createPod({
        ...{
          uid,
          namespace: "default",
          name: uid,
          hostname: uid,
          ip,
          hostNetwork: false,
          shareProcessNamespace: false,
        },
        ...{ directory: podDirectory, memoryVolumes: [], ...spec },
      });
      let containers = 0;
      const start = (argv: readonly string[], more: Partial<ContainerSpec> = {}): Promise<SandboxContainer> => {
        const name = `c${containers++}`;
        return pod.startContainer({
          ...{
            id: `${uid}/${name}`,
            name,
            argv,
            env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
            workingDir: "/",
            mounts: [],
            files: {},
            view: [process.execPath],
          },
          ...{
            directory: join(podDirectory, "containers", name),
            log: { file: join(podDirectory, `${name}.log`), maxBytes: 1e6, maxFiles: 3 },
          },
          ...{
            user: { uid: 0, gid: 0, groups: [] },
            readOnlyRoot: false,
            noNewPrivileges: false,
            stdin: false,
            tty: false,
            ...more,
          },
        });
      };
      return {
        pod,
        ip,
        directory: podDirectory,
        start,
        async shell(script, more = {}) {
          const file = join(podDirectory, `c${containers}.log`);
          mkdirSync(join(podDirectory, "containers", `c${containers}`), { recursive: true });
          const container = await start(["sh", "-c", script], more);
          const { exitCode } = await container.exited;
          return { code: exitCode, text: readFileSync(file, "utf8").replace(/^\S+ \S+ F /gm, "") };
        },
        volume(name) {
          const path = join(podDirectory, "volumes", name);
          mkdirSync(path, { recursive: true });
          return path;
        },
      };
    },
    async close() {
      await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const bind = (source: string, target: string, more: Partial<Mount> = {}): Mount => ({
  source,
  target,
  type: "bind",
  readOnly: false,
  file: false,
  ...more,
});
