import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { NODE, startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const sh = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: "main",
  image: "busybox",
  command: ["sh", "-c", script],
  ...more,
});
const FOREVER = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
const phase = (wanted: string) => (pod: Pod) => pod.status?.phase === wanted;
const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
const first = (pod: Pod) => pod.status?.containerStatuses?.[0];
const ended = (pod: Pod) => first(pod)?.state?.terminated;

for (const kind of ["namespaces", "bare"] as const) {
  const refused = kind === "namespaces" && probed.kind === "bare" ? probed.note : undefined;
  describe.skipIf(refused !== undefined)(
    `a kubelet with the ${kind} sandbox${refused === undefined ? "" : ` (skipped: ${refused})`}`,
    () => {
      let lab: Lab;
      beforeAll(async () => {
        lab = await startLab(kind);
      });
      afterAll(async () => {
        await lab?.close();
      });

      test("a pod runs, has an address and conditions, and is gone after a delete", async () => {
        await lab.run("simple", {
          containers: [
            sh(FOREVER, { imagePullPolicy: "IfNotPresent" }),
            { ...sh(FOREVER, { imagePullPolicy: "Always" }), name: "pulled" },
          ],
        });
        const pod = await lab.until("simple", ready);
        expect(pod.status).toMatchObject({ phase: "Running", hostIP: "10.128.0.1", qosClass: "BestEffort" });
        expect(pod.status?.podIP).toMatch(/^10\.128\.0\.\d+$/);
        expect(first(pod)).toMatchObject({ ready: true, started: true, restartCount: 0, lastState: {} });
        expect(first(pod)?.containerID).toMatch(/^travelops:\/\/[0-9a-f]{64}$/);
        expect(pod.status?.conditions?.map((c) => `${c.type}=${c.status}`).sort()).toEqual(
          expect.arrayContaining([
            "ContainersReady=True",
            "Initialized=True",
            "PodReadyToStartContainers=True",
            "Ready=True",
          ]),
        );
        await lab.client.delete(PODS, "default", "simple");
        await expect
          .poll(
            () =>
              lab.get("simple").then(
                () => "there",
                () => "gone",
              ),
            { timeout: 10_000 },
          )
          .toBe("gone");
        const events = await lab.events("simple");
        for (const text of [
          'Pulled: Container image "busybox" already present on machine and can be accessed by the pod',
          'Pulling: Pulling image "busybox"',
          'Pulled: Successfully pulled image "busybox" in 0s (0s including waiting). Image size: 0 bytes.',
          "Created: Created container: main",
          "Started: Started container main",
          "Killing: Stopping container main",
        ])
          expect(events).toContain(text);
      });

      test("exit codes, termination messages, and the phase that follows", async () => {
        await lab.run("fails", {
          restartPolicy: "Never",
          containers: [sh("echo out; echo err >&2; exit 7", { terminationMessagePolicy: "FallbackToLogsOnError" })],
        });
        const failed = await lab.until("fails", phase("Failed"));
        expect(ended(failed)).toMatchObject({ exitCode: 7, reason: "Error", message: "out\nerr\n" });
        await lab.run("works", { restartPolicy: "OnFailure", containers: [sh("exit 0")] });
        const done = await lab.until("works", phase("Succeeded"));
        expect(ended(done)).toMatchObject({ exitCode: 0, reason: "Completed" });
        expect(done.status?.conditions?.find((c) => c.type === "Ready")).toMatchObject({
          status: "False",
          reason: "PodCompleted",
        });
      });

      test("init containers run in order, then a sidecar beside the main container", async () => {
        await lab.run("ordered", {
          restartPolicy: "Never",
          volumes: [{ name: "v", emptyDir: {} }],
          initContainers: [
            { ...sh("echo 1"), name: "one" },
            { ...sh(FOREVER), name: "side", restartPolicy: "Always" },
          ],
          containers: [sh("sleep 0.2; exit 0")],
        });
        const pod = await lab.until("ordered", phase("Succeeded"));
        const [one, side] = pod.status?.initContainerStatuses ?? [];
        expect(one?.state?.terminated?.exitCode).toBe(0);
        expect(side?.state?.terminated).toBeDefined();
        expect(Date.parse(one?.state?.terminated?.finishedAt ?? "")).toBeLessThanOrEqual(
          Date.parse(ended(pod)?.startedAt ?? ""),
        );
      });

      test("a container that ends is started again, and then waits", async () => {
        await lab.run("crashes", { containers: [sh("exit 3")] });
        const pod = await lab.until("crashes", (p) => first(p)?.state?.waiting?.reason === "CrashLoopBackOff");
        expect(first(pod)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 3 } } });
        expect(first(pod)?.state?.waiting?.message).toBe(
          `back-off 10s restarting failed container=main pod=crashes_default(${pod.metadata.uid})`,
        );
        await lab.remove("crashes");
      });

      test("probes make ready, and restart", async () => {
        await lab.run("probed", {
          containers: [
            sh(`touch /tmp/x-$$; ${FOREVER}`, {
              startupProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
              readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
              livenessProbe: {
                exec: { command: ["sh", "-c", "echo unwell; exit 1"] },
                periodSeconds: 1,
                failureThreshold: 1,
                initialDelaySeconds: 1,
                terminationGracePeriodSeconds: 1,
              },
            }),
          ],
        });
        await lab.until("probed", ready);
        await lab.until("probed", (p) => (first(p)?.restartCount ?? 0) > 0);
        const events = await lab.events("probed");
        expect(events).toContain("Unhealthy: Liveness probe failed: unwell\n");
        expect(events).toContain("Killing: Container main failed liveness probe, will be restarted");
        await lab.remove("probed");
      });

      test("an unknown image says what there is", async () => {
        await lab.run("unknown", { containers: [{ name: "main", image: "quay.io/nobody/nothing:v9" }] });
        const pod = await lab.until(
          "unknown",
          (p) =>
            first(p)?.state?.waiting?.reason === "ErrImagePull" ||
            first(p)?.state?.waiting?.reason === "ImagePullBackOff",
        );
        expect(first(pod)?.state?.waiting?.message).toContain("not in the catalogue");
        await lab.until("unknown", (p) => first(p)?.state?.waiting?.reason === "ImagePullBackOff");
        await lab.remove("unknown");
      });

      test("what refers to a missing ConfigMap waits for it, and starts when it comes", async () => {
        const CONFIG_MAPS = { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap", namespaced: true };
        await lab.run("waits", {
          restartPolicy: "Never",
          containers: [
            sh('test "$GREETING" = "hello world"', {
              env: [
                { name: "A", valueFrom: { configMapKeyRef: { name: "greeting", key: "who" } } },
                { name: "GREETING", value: "hello $(A)" },
              ],
            }),
          ],
        });
        const waiting = await lab.until(
          "waits",
          (p) => first(p)?.state?.waiting?.reason === "CreateContainerConfigError",
        );
        expect(first(waiting)?.state?.waiting?.message).toBe('configmap "greeting" not found');
        await lab.client.create(CONFIG_MAPS, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "greeting", namespace: "default" },
          data: { who: "world" },
        });
        await lab.until("waits", phase("Succeeded"));
      });

      test("a pod past its deadline fails", async () => {
        await lab.run("late", { activeDeadlineSeconds: 1, containers: [sh(FOREVER)] });
        const pod = await lab.until("late", phase("Failed"));
        expect(pod.status).toMatchObject({ reason: "DeadlineExceeded" });
        await lab.remove("late");
      });

      test("what an attempt to start a container has left is in nobody's way", async () => {
        const wait = (file: string) => `until [ -e "$TRAVELOPS_MOUNTS${file}" ]; do sleep 0.05; done`;
        const volumeMounts = [{ name: "v", mountPath: "/v" }];
        await lab.run("again", {
          restartPolicy: "Never",
          volumes: [{ name: "v", emptyDir: {} }],
          initContainers: [{ ...sh(wait("/v/go")), name: "init", volumeMounts }],
          containers: [sh("test ! -e /leftover")],
        });
        const { metadata } = await lab.until(
          "again",
          (p) => p.status?.initContainerStatuses?.[0]?.state?.running !== undefined,
        );
        const directory = join(lab.directory, "pods", NODE, metadata.uid ?? "");
        const left = join(directory, "containers", "main", "0");
        for (const place of ["root", "mounts"]) {
          mkdirSync(join(left, place, "usr", "bin"), { recursive: true });
          for (const name of ["bin", "leftover"]) writeFileSync(join(left, place, name), "");
        }
        writeFileSync(join(directory, "volumes", "empty-dir", "v", "go"), "");
        await lab.until("again", phase("Succeeded"));
        await lab.remove("again");
      });

      test("after a crash of the cluster the pod runs again, at its address", async () => {
        await lab.run("survivor", { volumes: [{ name: "v", emptyDir: {} }], containers: [sh(FOREVER)] });
        const before = await lab.until("survivor", ready);
        const orphan = join(lab.directory, "pods", NODE, "gone-uid");
        mkdirSync(orphan);
        await lab.restart();
        await expect.poll(() => existsSync(orphan)).toBe(false);
        const after = await lab.until("survivor", (p) => ready(p) && (first(p)?.restartCount ?? 0) === 1);
        expect(after.metadata.uid).toBe(before.metadata.uid);
        expect(after.status?.podIP).toBe(before.status?.podIP);
        expect(first(after)?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "ContainerStatusUnknown" });
        await lab.remove("survivor");
      });
    },
  );
}
