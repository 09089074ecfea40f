import { execFile, spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { spawn as spawnTerminal } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "@travelops/kube/api/logger.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { createNodeAccess } from "../../kubelet/access/node-access.ts";
import { chooseSandbox } from "../../kubelet/sandbox/probe.ts";
import { findProgram } from "../../kubelet/sandbox/tools.ts";
import { startDialer } from "../../kubelet/testing/dialer.ts";
import { startLab, type Lab } from "../../kubelet/testing/lab.ts";
import type { NodeAccess } from "../api-server.ts";
import { startTestServer } from "../testing/start-test-server.ts";
import { createUpgrade } from "./upgrade.ts";

const kubectl = findProgram("kubectl");
const probed = await chooseSandbox("auto");

/** kubectl then asks for plain SPDY, as it did before 1.30. */
const SPDY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" };

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

for (const kind of ["namespaces", "bare"] as const) {
  const refused =
    kubectl === undefined
      ? "kubectl is not on PATH"
      : kind === "namespaces" && probed.kind === "bare"
        ? probed.note
        : undefined;
  describe.skipIf(refused !== undefined)(
    `streams through kubectl, ${kind} sandbox${refused === undefined ? "" : ` (skipped: ${refused})`}`,
    () => {
      let lab: Lab;
      let config: string;
      let access: NodeAccess | undefined;

      const run = (args: readonly string[], input?: Buffer | string, env = {}): Promise<Result> =>
        new Promise((resolve) => {
          const child = execFile(
            kubectl ?? "",
            ["--kubeconfig", config, ...args],
            { maxBuffer: 64 << 20, timeout: 20_000, env: { ...process.env, ...env } },
            (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
          );
          child.stdin?.end(input);
        });

      beforeAll(async () => {
        const server = await startTestServer({ upgrade: createUpgrade({ nodes: () => access, log: silentLogger }) });
        config = join(server.dir, "kubeconfig");
        const api = {
          client: server.client(),
          transport: server.client().transport,
          kubeconfig: config,
          real: false,
          close: () => server.close(),
        };
        writeFileSync(
          config,
          JSON.stringify({
            apiVersion: "v1",
            kind: "Config",
            "current-context": "t",
            clusters: [
              {
                name: "t",
                cluster: {
                  server: server.url,
                  "certificate-authority-data": Buffer.from(server.caData).toString("base64"),
                },
              },
            ],
            users: [{ name: "t", user: { token: server.adminToken } }],
            contexts: [{ name: "t", context: { cluster: "t", user: "t" } }],
          }),
        );
        lab = await startLab(kind, { api });
        const dialer = await startDialer(lab.sandbox.network);
        access = createNodeAccess({ kubelets: [lab.kubelet], dial: (ip, port) => dialer.dial(ip, port) });
        server.server.setNodeAccess(access);
        const script = "echo to-out; echo to-err >&2; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
        await lab.run("shell", {
          containers: [
            {
              name: "main",
              image: "busybox",
              command: ["sh", "-c", script],
              env: [{ name: "GREETING", value: "hello" }],
            },
          ],
        });
        const web = "require('http').createServer((q, s) => s.end('served ' + q.url)).listen(8080)";
        await lab.run("web", {
          containers: [
            {
              name: "main",
              image: "node",
              command: ["node", "-e", web],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        });
        await lab.until("shell", (pod: Pod) => pod.status?.phase === "Running");
      });
      afterAll(async () => {
        await lab?.close();
      });

      test("exec gives output, errors, the environment and the exit code", async () => {
        const result = await run(["exec", "shell", "--", "sh", "-c", "echo $GREETING; echo bad >&2; exit 7"]);
        expect(result).toMatchObject({ code: 7, stdout: "hello\n" });
        expect(result.stderr).toContain("bad\n");
      });

      test("exec passes input on and ends with it", async () => {
        const input = Buffer.alloc(3_000_000, "0123456789");
        const result = await run(["exec", "-i", "shell", "--", "wc", "-c"], input);
        expect(result.stdout.trim()).toBe("3000000");
        const back = await run(["exec", "-i", "shell", "--", "cat"], input);
        expect(back.stdout.length).toBe(input.length);
      });

      test("older clients: exec over SPDY", async () => {
        const script = "echo $GREETING; echo bad >&2; exit 7";
        const result = await run(["exec", "shell", "--", "sh", "-c", script], undefined, SPDY);
        expect(result).toMatchObject({ code: 7, stdout: "hello\n" });
        expect(result.stderr).toContain("bad\n");
        const input = Buffer.alloc(3_000_000, "0123456789");
        const back = await run(["exec", "-i", "shell", "--", "cat"], input, SPDY);
        expect(back.stdout.length).toBe(input.length);
        expect((await run(["exec", "shell", "--", "no-such-program"], undefined, SPDY)).code).not.toBe(0);
        const unknown = await run(["exec", "nobody", "--", "true"], undefined, SPDY);
        expect(unknown.stderr).toContain('pods "nobody" not found');
      });

      test("older clients: a terminal over SPDY, with its size", async () => {
        const terminal = spawnTerminal(kubectl ?? "", ["--kubeconfig", config, "exec", "-it", "shell", "--", "sh"], {
          cols: 87,
          rows: 31,
          env: { ...process.env, ...SPDY },
        });
        let said = "";
        terminal.onData((data) => (said += data));
        const exit = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
        terminal.write("test -t 0 && stty size\n");
        await expect.poll(() => said, { timeout: 5000 }).toContain("31 87");
        terminal.write("exit 5\n");
        expect(await exit).toBe(5);
      });

      test("older clients: attach over SPDY, until the program has read all", async () => {
        const script = 'while read line; do echo "got $line"; done; echo over';
        await lab.run("listens", {
          restartPolicy: "Never",
          containers: [{ name: "c", image: "busybox", stdin: true, stdinOnce: true, command: ["sh", "-c", script] }],
        });
        await lab.until("listens", (pod: Pod) => pod.status?.containerStatuses?.[0]?.ready === true);
        const result = await run(["attach", "-i", "listens", "--quiet"], "one\ntwo\n", SPDY);
        expect(result).toMatchObject({ code: 0, stdout: "got one\ngot two\nover\n" });
        await lab.until("listens", (pod: Pod) => pod.status?.phase === "Succeeded");
      });

      test.skipIf(kind === "bare")("older clients: port-forward over SPDY", async () => {
        await lab.until("web", (pod) => pod.status?.containerStatuses?.[0]?.ready === true);
        const args = ["--kubeconfig", config, "port-forward", "pod/web", ":8080"];
        const forward = spawn(kubectl ?? "", args, { env: { ...process.env, ...SPDY } });
        const port = await forwardedPort(forward);
        for (let i = 0; i < 3; i++)
          expect(await (await fetch(`http://127.0.0.1:${port}/path${i}`)).text()).toBe(`served /path${i}`);
        forward.kill();
      });

      test("exec of what is not there", async () => {
        expect((await run(["exec", "shell", "--", "no-such-program"])).code).not.toBe(0);
        const result = await run(["exec", "nobody", "--", "true"]);
        expect(result.stderr).toContain('pods "nobody" not found');
      });

      test("logs, with their options", async () => {
        expect((await run(["logs", "shell"])).stdout.split("\n").sort()).toEqual(["", "to-err", "to-out"]);
        expect((await run(["logs", "shell", "--tail=1"])).stdout.split("\n")).toHaveLength(2);
        expect((await run(["logs", "shell", "--limit-bytes=3"])).stdout).toHaveLength(3);
        expect((await run(["logs", "shell", "--timestamps"])).stdout).toMatch(
          /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z to-/,
        );
        expect((await run(["logs", "shell", "--previous"])).stderr).toContain("previous terminated container");
        const following = spawn(kubectl ?? "", ["--kubeconfig", config, "logs", "-f", "shell"]);
        await expect.poll(() => following.stdout.read()?.toString() ?? "", { timeout: 5000 }).toContain("to-");
        following.kill();
      });

      test.skipIf(kind === "bare")("port-forward carries connections", async () => {
        await lab.until("web", (pod) => pod.status?.containerStatuses?.[0]?.ready === true);
        const forward = spawn(kubectl ?? "", ["--kubeconfig", config, "port-forward", "pod/web", ":8080"]);
        const port = await forwardedPort(forward);
        for (let i = 0; i < 3; i++)
          expect(await (await fetch(`http://127.0.0.1:${port}/path${i}`)).text()).toBe(`served /path${i}`);
        forward.kill();
        const closed = spawn(kubectl ?? "", ["--kubeconfig", config, "port-forward", "pod/web", ":9"]);
        const dead = await forwardedPort(closed);
        let said = "";
        closed.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
        createConnection({ host: "127.0.0.1", port: dead })
          .on("error", () => {})
          .write("x");
        await expect.poll(() => said, { timeout: 5000 }).toContain("error forwarding port 9");
        closed.kill();
      });

      test("a terminal, with its size", async () => {
        const terminal = spawnTerminal(kubectl ?? "", ["--kubeconfig", config, "exec", "-it", "shell", "--", "sh"], {
          cols: 91,
          rows: 33,
        });
        let said = "";
        terminal.onData((data) => (said += data));
        const exit = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
        terminal.write("test -t 0 && stty size\n");
        await expect.poll(() => said, { timeout: 5000 }).toContain("33 91");
        terminal.write("exit 5\n");
        expect(await exit).toBe(5);
      });
    },
  );
}

async function forwardedPort(child: ChildProcess): Promise<number> {
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await expect.poll(() => said, { timeout: 8000 }).toMatch(/127\.0\.0\.1:\d+ ->/);
  return Number(/127\.0\.0\.1:(\d+) ->/.exec(said)?.[1]);
}
