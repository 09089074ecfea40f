/** A PodNetworkHost for tests: a rootless network namespace with a few addresses, without pods of a kubelet. */
import { fork, spawn, spawnSync, type ChildProcess } from "node:child_process";
import type dgram from "node:dgram";
import net from "node:net";
import path from "node:path";
import type { NetworkDaemon, NetworkHost } from "../network-host.ts";

const INIT = path.join(import.meta.dirname, "netns-init.cjs");

/** Whether this machine lets an unprivileged user make network namespaces. */
export const canUnshare = (): boolean =>
  spawnSync("unshare", ["-Urnm", "ip", "link", "set", "lo", "up"], { stdio: "ignore" }).status === 0;

interface Reply {
  readonly done?: number;
  readonly error?: string;
  readonly daemon?: number;
  readonly message?: unknown;
  readonly exited?: number | string;
}

export interface TestHost extends NetworkHost {
  /** As `runDaemon`, in a pod's own network; of the namespaces host. */
  runInPod?(address: string, file: string): Promise<NetworkDaemon>;
  close(): void;
}

export async function netnsHost(options: {
  local: readonly string[];
  addresses: readonly string[];
  /** Addresses that have a network namespace of their own, behind the first of `addresses`. */
  pods?: readonly string[];
}): Promise<TestHost> {
  const init = spawn("unshare", ["-Urnm", process.execPath, INIT], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map<number, { resolve: (handle: unknown) => void; reject: (error: Error) => void }>();
  const daemons = new Map<number, { message: (m: unknown) => void; exited: (code: number | string) => void }>();
  let next = 1;
  init.on("message", (raw, handle) => {
    const reply = raw as Reply;
    if (reply.daemon !== undefined) {
      if (reply.exited !== undefined) daemons.get(reply.daemon)?.exited(reply.exited);
      else daemons.get(reply.daemon)?.message(reply.message);
      return;
    }
    const waiter = waiting.get(reply.done ?? 0);
    waiting.delete(reply.done ?? 0);
    if (reply.error !== undefined) waiter?.reject(new Error(reply.error));
    else waiter?.resolve(handle);
  });
  const call = (command: string, args: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const done = next++;
      waiting.set(done, { resolve, reject });
      init.send({ command, done, ...args });
    });
  await call("setup", options);
  for (const address of options.pods ?? []) await call("pod", { address, gateway: options.addresses[0] });
  const run = async (spec: { file: string; env?: Readonly<Record<string, string>>; pod?: string }) => {
    const id = next++;
    const daemon = daemonOf((message, handle) =>
      init.send({ command: "send", id, message }, handle, undefined, () => handle?.close()),
    );
    daemons.set(id, daemon);
    await call("daemon", { id, file: spec.file, env: spec.env ?? {}, pod: spec.pod });
    return { ...daemon.daemon, kill: () => void init.send({ command: "kill", id, signal: "SIGKILL" }) };
  };
  return {
    sandbox: "namespaces",
    listen: async (address, port) => (await call("listen", { address, port })) as net.Server,
    runDaemon: (spec) => run(spec),
    runInPod: (pod, file) => run({ file, pod }),
    close: () => void init.kill("SIGKILL"),
  };
}

/** Daemons as plain processes, as in the bare sandbox. */
export function plainHost(): TestHost {
  const children: ChildProcess[] = [];
  return {
    sandbox: "bare",
    listen: (_address, _port) =>
      new Promise((resolve) => {
        const server = net.createServer().listen(0, "127.0.0.1", () => resolve(server));
      }),
    runDaemon(spec) {
      const child = fork(spec.file, {
        env: { ...process.env, ...spec.env },
        stdio: ["ignore", "inherit", "inherit", "ipc"],
        execArgv: [],
      });
      children.push(child);
      const daemon = daemonOf(
        (message, handle) => child.connected && child.send(message as object, handle, undefined, () => handle?.close()),
      );
      child.on("message", daemon.message);
      child.on("exit", (code, signal) => daemon.exited(code ?? signal ?? 0));
      return Promise.resolve({ ...daemon.daemon, kill: () => void child.kill("SIGKILL") });
    },
    close: () => children.forEach((child) => child.kill("SIGKILL")),
  };
}

function daemonOf(send: (message: unknown, handle: net.Server | dgram.Socket | undefined) => void): {
  message: (m: unknown) => void;
  exited: (code: number | string) => void;
  daemon: Omit<NetworkDaemon, "kill">;
} {
  const listeners: ((message: unknown) => void)[] = [];
  let exited: (code: number | string) => void = () => {};
  const gone = new Promise<number | string>((resolve) => (exited = resolve));
  return {
    message: (m) => listeners.forEach((listener) => listener(m)),
    exited: (code) => exited(code),
    daemon: {
      send: (message, handle) => send(message, handle instanceof net.Socket ? undefined : handle),
      onMessage: (listener) => void listeners.push(listener),
      exited: gone,
    },
  };
}
