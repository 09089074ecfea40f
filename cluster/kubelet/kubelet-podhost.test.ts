/** Podhost alone is killed: its pods are made again in a new one, as on a node whose container runtime was restarted. */
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { descendantsOf } from "../../test/crash/process-tree.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.2 & wait $!; done";
const PORT = 7000;
const CALL = `require("net").connect(${PORT}, "10.128.0.1").on("data", () => require("fs").writeFileSync("/tmp/called", ""))`;

const running = (pod: Pod): boolean => pod.status?.phase === "Running";
const first = (pod: Pod) => pod.status?.containerStatuses?.[0];
const changed = "SandboxChanged: Pod sandbox changed, it will be killed and re-created.";

for (const kind of ["namespaces", "bare"] as const) {
  describe.skipIf(kind === "namespaces" && probed.kind === "bare")(`podhost killed, ${kind} sandbox`, () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await startLab(kind, { supervised: true });
    });
    afterAll(async () => {
      await lab?.close();
    });

    test("pods go on with a new start, in a new sandbox, with their address and volumes", async () => {
      let calls = 0;
      const door = await lab.sandbox.network.listen("10.128.0.1", PORT);
      door.on("connection", (socket: Socket) => void (calls++, socket.end("hello")));
      const volumes = [{ name: "v", emptyDir: {} }];
      const volumeMounts = [{ name: "v", mountPath: "/v" }];
      const sh = (script: string) => ({ image: "busybox", command: ["sh", "-c", script], volumeMounts });
      await lab.run("kept", {
        volumes,
        initContainers: [{ name: "init", ...sh("echo x >> $TRAVELOPS_MOUNTS/v/starts") }],
        containers: [
          { name: "main", ...sh(FOREVER) },
          { name: "caller", image: "node:24", args: ["-e", `${CALL}; setInterval(() => {}, 1e6)`] },
        ],
      });
      await lab.run("once", {
        restartPolicy: "Never",
        containers: [{ name: "main", ...sh(FOREVER), volumeMounts: [] }],
      });
      const before = await lab.until("kept", (pod) => running(pod) && (kind === "bare" || calls === 1));
      await lab.until("once", running);
      const podhost = descendantsOf(process.pid).findLast(({ command }) => /^\S*node\S* \S*podhost\.cjs/.test(command));
      process.kill(podhost?.pid ?? 0, "SIGKILL");

      const after = await lab.until(
        "kept",
        (pod) => first(pod)?.restartCount === 1 && running(pod) && (kind === "bare" || calls === 2),
        20_000,
      );
      expect(after.status?.podIP).toBe(before.status?.podIP);
      expect(after.status?.initContainerStatuses?.[0]?.restartCount).toBe(1);
      expect(first(after)?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
      expect((await lab.events("kept")).filter((said) => said === changed)).toHaveLength(1);
      const once = await lab.until("once", (pod) => pod.status?.phase === "Failed");
      expect(first(once)?.state?.terminated?.exitCode).toBe(137);
      expect(await lab.events("once")).not.toContain(changed);
      door.close();
    }, 60_000);
  });
}
