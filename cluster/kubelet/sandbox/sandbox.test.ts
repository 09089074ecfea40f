import { randomUUID } from "node:crypto";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bind, startSandboxLab, type SandboxLab } from "../testing/sandbox-lab.ts";
import { chooseSandbox, SandboxUnavailableError } from "./probe.ts";

const probed = await chooseSandbox("auto");
const refused = (kind: string): string | undefined =>
  kind === "namespaces" && probed.kind === "bare" ? probed.note : undefined;

/** Processes, zombies left out, with this in their environment. */
function withMarker(marker: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return (
          pid > 0 &&
          readFileSync(`/proc/${pid}/environ`, "latin1").includes(marker) &&
          !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"))
        );
      } catch {
        return false;
      }
    });
}

test("a sandbox that cannot be had is refused with the reason", async () => {
  await expect(chooseSandbox("bare")).resolves.toMatchObject({
    kind: "bare",
    note: expect.stringContaining("--sandbox bare"),
  });
  if (probed.kind === "bare") await expect(chooseSandbox("namespaces")).rejects.toThrow(SandboxUnavailableError);
});

for (const kind of ["namespaces", "bare"] as const) {
  describe.skipIf(refused(kind) !== undefined || process.platform !== "linux")(
    `${kind} sandbox: nothing is left behind`,
    () => {
      test.each(["SIGKILL", "SIGTERM"] as const)("when its cluster process ends by %s", async (signal) => {
        const marker = `CRASH_MARKER=${kind}-${signal}-${process.pid}`;
        const directory = mkdtempSync(join(tmpdir(), "travelops-crash-"));
        const child = spawn(
          process.execPath,
          [fileURLToPath(new URL("../testing/crash-child.ts", import.meta.url)), kind, directory, marker.slice(13)],
          { stdio: ["ignore", "pipe", "inherit"] },
        );
        let said = "";
        child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
        await expect.poll(() => said, { timeout: 10_000 }).toContain("started");
        expect(withMarker(marker).length).toBeGreaterThanOrEqual(9);
        child.kill(signal);
        await expect.poll(() => withMarker(marker), { timeout: 5000 }).toEqual([]);
        rmSync(directory, { recursive: true, force: true });
      });
    },
  );
}

describe.skipIf(refused("namespaces") !== undefined)(
  `namespaces sandbox${refused("namespaces") === undefined ? "" : ` (skipped: ${refused("namespaces")})`}`,
  () => {
    let lab: SandboxLab;
    beforeAll(async () => {
      lab = await startSandboxLab("namespaces");
    });
    afterAll(async () => {
      await lab?.close();
    });

    test("the host's secrets, the cluster's data and other pods' volumes are not there", async () => {
      writeFileSync(join(lab.directory, "secret"), "top");
      const other = await lab.pod();
      writeFileSync(join(other.volume("v"), "other"), "other");
      const pod = await lab.pod();
      // Even a view that holds the data directory does not show it.
      const { text } = await pod.shell(
        `cat ${lab.directory}/secret; ls ${other.directory}; ls -A /root /home; cat /etc/shadow; ls ${process.env["HOME"]}/.ssh /run`,
        { view: [process.execPath, tmpdir()] },
      );
      expect(text).not.toContain("top");
      expect(text).not.toContain("other");
      expect(text).toContain("/etc/shadow: No such file");
      const all = await pod.shell(
        "mount; umount /usr; umount /etc/ssl; echo x > /usr/x; echo 0 > /proc/sys/kernel/panic; ip link add d0 type dummy; mount -o remount,rw /usr; ps ax | wc -l",
      );
      expect(all.text).not.toContain(`${lab.directory}/inside`);
      expect(all.text).toMatch(/umount: \/usr/);
      expect(all.text).toMatch(/cannot create \/usr\/x/);
      expect(all.text).toMatch(/cannot create \/proc\/sys\/kernel\/panic/);
      expect(all.text).toMatch(/Operation not permitted/);
      expect(Number(/\n(\d+)\s*$/.exec(all.text)?.[1])).toBeLessThan(6);
    });

    test("a pod has its own address, localhost, hostname, /tmp and ports below 1024", async () => {
      const [a, b] = [await lab.pod(), await lab.pod({ hostname: "second" })];
      const server = "const s=require('net').createServer(c=>c.end('from '+require('os').hostname())).listen(80)";
      await a.start([process.execPath, "-e", server]);
      const client = (to: string): string =>
        `${process.execPath} -e "require('net').connect(80,'${to}').on('error',e=>{console.log(e.code);process.exit(1)}).pipe(process.stdout)"`;
      await expect
        .poll(async () => (await a.shell(client("127.0.0.1"))).text, { timeout: 5000 })
        .toContain("from pod-");
      expect((await b.shell(client(a.ip))).text).toContain("from pod-");
      expect((await b.shell(client("127.0.0.1"))).text).toContain("ECONNREFUSED");
      expect((await b.shell("hostname; touch /tmp/mine; ls /tmp/mine")).text).toBe("second\n/tmp/mine\n");
      expect((await a.shell("ls /tmp/mine 2>/dev/null; echo done")).text).toBe("done\n");
    });

    test("volumes stand where they are mounted: new places, files, nested, read-only", async () => {
      const pod = await lab.pod();
      const [html, data, config] = [pod.volume("html"), pod.volume("data"), pod.volume("config")];
      writeFileSync(join(html, "index.html"), "page\n");
      writeFileSync(join(config, "app.conf"), "conf\n");
      const mounts = [
        bind(html, "/usr/share/nginx/html", { readOnly: true }),
        bind(data, "/var/lib/data"),
        bind(config, "/var/lib/data/nested"),
        bind(join(config, "app.conf"), "/etc/ssl/app.conf", { file: true }),
        bind(config, "/var/run/secrets/x"),
      ];
      const script =
        "cat /usr/share/nginx/html/index.html /etc/ssl/app.conf /var/lib/data/nested/app.conf /run/secrets/x/app.conf; touch /usr/share/nginx/html/y; touch /var/lib/data/z; ls /usr/share/zoneinfo >/dev/null && ls /etc/ssl/certs >/dev/null && sh --version >/dev/null 2>&1; echo done";
      const { text } = await pod.shell(script, { mounts });
      expect(text).toContain("page\nconf\nconf\nconf\n");
      expect(text).toMatch(/touch: .*Read-only file system/);
      expect(text).toContain("done");
      expect(existsSync(join(data, "z"))).toBe(true);
    });

    test("a link planted in a volume does not lead out of it", async () => {
      const pod = await lab.pod();
      const data = pod.volume("data");
      const outside = pod.volume("outside");
      symlinkSync(outside, join(data, "out"));
      await expect(
        pod.start(["true"], { mounts: [bind(data, "/data"), bind(pod.volume("b"), "/data/out/deep")] }),
      ).rejects.toThrow(/leads out of its volume/);
      expect(existsSync(join(outside, "deep"))).toBe(false);
    });

    test("users, privileges and a read-only root", async () => {
      const pod = await lab.pod();
      const { text } = await pod.shell("id -u; grep NoNewPrivs /proc/self/status; touch /x; touch /tmp/y", {
        user: { uid: 1234, gid: 99, groups: [] },
        noNewPrivileges: true,
        readOnlyRoot: true,
      });
      expect(text).toMatch(/^1234\nNoNewPrivs:\s1\n/);
      expect(text).toMatch(/touch: .*\/x.*Read-only file system/);
    });

    test("exit codes and signals; a program that is not there", async () => {
      const pod = await lab.pod();
      expect((await pod.shell("exit 9")).code).toBe(9);
      const loop = await pod.start(["sh", "-c", "trap 'exit 12' TERM; while :; do sleep 0.05; done"]);
      await loop.exec({ argv: ["true"], env: {}, stdout: () => {}, stderr: () => {} });
      await loop.kill("SIGTERM");
      expect(await loop.exited).toMatchObject({ exitCode: 12 });
      const deaf = await pod.start(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]);
      await deaf.kill("SIGTERM");
      await deaf.kill("SIGKILL");
      expect(await deaf.exited).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
      await expect(pod.start(["no-such-program"])).rejects.toThrow(
        'exec: "no-such-program": executable file not found in $PATH',
      );
    });

    test("any name in the environment, and no value among arguments that others can read", async () => {
      const pod = await lab.pod();
      const env = {
        PATH: process.env["PATH"] ?? "",
        plain: "p",
        "odd.name": `it's "$plain" \`x\``,
        "odd-2": "two words",
      };
      // As the shell was given it: it drops such names itself.
      const { text } = await pod.shell(`tr '\\0' '|' < /proc/$$/environ; echo`, { env });
      for (const [name, value] of Object.entries(env)) expect(`|${text}`).toContain(`|${name}=${value}|`);
      expect(text).not.toContain("TRAVELOPS_ENV_");
      const value = `secret-${randomUUID()}`;
      await pod.start(["sleep", "778"], { env: { ...env, "odd.secret": value } });
      const lines = (): string[] =>
        readdirSync("/proc").flatMap((pid) => {
          try {
            return [readFileSync(`/proc/${pid}/cmdline`, "utf8")];
          } catch {
            return [];
          }
        });
      // For the instant in which `env` becomes the command it holds them; what stays must not.
      const left = (): { runs: boolean; told: number } => {
        const now = lines();
        return {
          runs: now.some((line) => line === "sleep\u0000778\u0000"),
          told: now.filter((line) => line.includes(value)).length,
        };
      };
      await expect.poll(left, { timeout: 5000 }).toEqual({ runs: true, told: 0 });
    });

    test("a shared process namespace, and memory volumes", async () => {
      const pod = await lab.pod({ shareProcessNamespace: true, memoryVolumes: [{ name: "m", sizeBytes: 1 << 20 }] });
      const memory = { source: "m", target: "/mem", type: "tmpfs" as const, readOnly: false, file: false };
      await pod.start(["sleep", "777"], { mounts: [memory] });
      const { text } = await pod.shell("ps ax; echo x > /mem/x; df -k /mem | tail -1", { mounts: [memory] });
      expect(text).toContain("sleep 777");
      expect(text).toMatch(/tmpfs\s+1024/);
      await pod.pod.remove();
    });

    test("a listening socket comes out, and pods reach it", async () => {
      const server = await lab.sandbox.network.listen("10.64.0.1", 443);
      server.on("connection", (socket) => socket.end(`you are ${socket.remoteAddress}`));
      const pod = await lab.pod();
      const { text } = await pod.shell(
        `${process.execPath} -e "require('net').connect(443,'10.64.0.1').pipe(process.stdout)"`,
      );
      expect(text).toContain(`you are ${pod.ip}`);
      server.close();
    });

    test("removed pods leave no link, mount or directory inside", async () => {
      const state = async (): Promise<string> => {
        const probe = await lab.pod({ hostNetwork: true });
        const { text } = await probe.shell("ip -o link | wc -l");
        await probe.pod.remove();
        return text.trim();
      };
      const before = await state();
      const pods = await Promise.all(Array.from({ length: 8 }, () => lab.pod()));
      await Promise.all(pods.map((pod) => pod.start(["sleep", "1000"])));
      await Promise.all(pods.map((pod) => pod.pod.remove()));
      expect(await state()).toBe(before);
    });
  },
);

describe.skipIf(process.getuid?.() !== 0)("an unprivileged user", () => {
  for (const kind of ["namespaces", "bare"] as const)
    test.skipIf(refused(kind) !== undefined)(`runs pods in the ${kind} sandbox, and limits hold`, () => {
      const directory = mkdtempSync(join(tmpdir(), "travelops-user-"));
      chownSync(directory, 65534, 65534);
      chmodSync(directory, 0o755);
      const script = fileURLToPath(new URL("../testing/unprivileged.ts", import.meta.url));
      const result = spawnSync(
        "setpriv",
        ["--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath, script, directory, kind],
        { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "" } },
      );
      expect(result.stderr).toBe("");
      expect(result.stdout).toContain(`uid ${kind === "namespaces" ? 0 : 65534}, exit 4`);
      expect(result.stdout).toMatch(/memory (cgroup|watch): exit 137, memory\n/);
      expect(result.stdout).toMatch(/processes (cgroup|rlimit): held\nexec: held\n/);
      rmSync(directory, { recursive: true, force: true });
    });
});
