/** kube-apiserver and etcd as envtest runs them: in a temporary directory, on free ports, gone with `close()`. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { type HttpsTransport, httpsTransport } from "@travelops/kube/client/https-transport";
import { type Program, startProgram } from "./program.ts";

export interface RealApiServer {
  readonly server: string;
  readonly ca: string;
  readonly token: string;
  readonly directory: string;
  /** etcd drops its history. */
  compact(): Promise<void>;
  /** Ends both, and leaves the directory for another start. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

const READY_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

export interface RealApiServerOptions {
  /** Pods need a ServiceAccount and get its token, as in a cluster. No controller makes one here. */
  readonly serviceAccounts?: boolean;
  /** etcd writes to the disk before it answers, as in production; tests do without. */
  readonly durable?: boolean;
  /** That of a server which was stopped: this one goes on with its objects. */
  readonly directory?: string;
}

async function writeCredentials(directory: string): Promise<void> {
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const token = randomBytes(24).toString("base64url");
  await Promise.all([
    writeFile(join(directory, "sa.key"), keys.privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    }),
    writeFile(join(directory, "sa.pub"), keys.publicKey.export({ type: "spki", format: "pem" })),
    writeFile(join(directory, "tokens.csv"), `${token},admin,admin,system:masters\n`, { mode: 0o600 }),
  ]);
}

/** Starts both programs of `assets` and resolves once the API is ready. */
export async function startRealApiServer(assets: string, options: RealApiServerOptions = {}): Promise<RealApiServer> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "travelops-api-")));
  const [client, peer, secure] = await Promise.all([freePort(), freePort(), freePort()]);
  if (options.directory === undefined) await writeCredentials(directory);
  const [token = ""] = (await readFile(join(directory, "tokens.csv"), "utf8")).split(",");
  const etcd = startProgram(join(assets, "etcd"), [
    `--data-dir=${join(directory, "etcd")}`,
    `--listen-client-urls=http://127.0.0.1:${client}`,
    `--advertise-client-urls=http://127.0.0.1:${client}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    ...(options.durable === true ? [] : ["--unsafe-no-fsync"]),
  ]);
  // kube-apiserver asks etcd once at its start what it can do (watch progress), so etcd must answer by then.
  const watchList = await listening(client, etcd).catch(async (error: unknown) => {
    await etcd.stop();
    throw error;
  });
  const apiserver = startProgram(join(assets, "kube-apiserver"), [
    `--etcd-servers=http://127.0.0.1:${client}`,
    `--cert-dir=${join(directory, "certs")}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${secure}`,
    `--service-account-key-file=${join(directory, "sa.pub")}`,
    `--service-account-signing-key-file=${join(directory, "sa.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--token-auth-file=${join(directory, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    ...(options.serviceAccounts === true ? [] : ["--disable-admission-plugins=ServiceAccount"]),
    "--allow-privileged=true",
    "--service-cluster-ip-range=10.64.0.0/16",
    `--feature-gates=WatchList=${watchList}`,
  ]);
  const stopBoth = async (): Promise<void> => {
    await apiserver.stop();
    await etcd.stop();
  };
  const close = async (): Promise<void> => {
    await stopBoth();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  const server = `https://127.0.0.1:${secure}`;
  try {
    await ready(server, token, [apiserver, etcd]);
    return {
      server,
      ca: await readFile(join(directory, "certs", "apiserver.crt"), "utf8"),
      token,
      directory,
      compact: () => compact(client),
      stop: stopBoth,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** From these on, etcd reports a watch's progress, which kube-apiserver needs to stream a list as a watch. */
const WATCH_PROGRESS_SINCE: Readonly<Record<string, number>> = { "3.4": 31, "3.5": 13 };

/** Waits for etcd, and says whether it is new enough for WatchList. */
async function listening(port: number, program: Program): Promise<boolean> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/version`);
      const { etcdserver } = (await answer.json()) as { etcdserver: string };
      const [, minor = "", patch = ""] = /^(\d+\.\d+)\.(\d+)/.exec(etcdserver) ?? [];
      return Number(patch) >= (WATCH_PROGRESS_SINCE[minor] ?? 0);
    } catch {
      // Not up yet.
    }
    if (program.ended() || Date.now() > deadline) throw new Error(`etcd did not start: ${program.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ready(server: string, token: string, programs: readonly Program[]): Promise<void> {
  const deadline = Date.now() + READY_MS;
  const transport: HttpsTransport = httpsTransport({ server, token, insecure: true });
  const client = createKubeClient(transport);
  try {
    for (;;) {
      try {
        await client.transport.call({ method: "GET", path: "/readyz" });
        return;
      } catch (error) {
        const dead = programs.find((program) => program.ended());
        if (dead !== undefined) throw new Error(`${dead.name} ended: ${dead.output()}`, { cause: error });
        if (Date.now() > deadline)
          throw new Error(`kube-apiserver was not ready in ${READY_MS / 1000} s`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  } finally {
    transport.close();
  }
}

/** By the JSON face that etcd gives its own API. */
async function compact(port: number): Promise<void> {
  const ask = async (what: string, body: object): Promise<{ header: { revision: string } }> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/kv/${what}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { header: { revision: string } };
  };
  const { header } = await ask("range", { key: "AA==" });
  await ask("compaction", { revision: header.revision });
}
