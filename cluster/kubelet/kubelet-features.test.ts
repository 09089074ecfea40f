import { cpus } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.2 & wait $!; done";
const main = (script: string, more: Record<string, unknown> = {}) => ({
  name: "main",
  image: "busybox",
  command: ["sh", "-c", script],
  ...more,
});
const first = (pod: Pod) => pod.status?.containerStatuses?.[0];
const ended = (pod: Pod) => first(pod)?.state?.terminated;
const running = (pod: Pod) => pod.status?.phase === "Running";
const over = (pod: Pod) => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
/** What a container printed, by its termination message. */
const tells = { terminationMessagePolicy: "FallbackToLogsOnError" };
const said = (pod: Pod): string => ended(pod)?.message ?? "";

for (const kind of ["namespaces", "bare"] as const) {
  describe.skipIf(kind === "namespaces" && probed.kind === "bare")(`a pod's features in the ${kind} sandbox`, () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await startLab(kind);
    });
    afterAll(async () => {
      await lab?.close();
    });
    const once = async (name: string, spec: Record<string, unknown>): Promise<Pod> => {
      await lab.run(name, { restartPolicy: "Never", ...spec });
      return lab.until(name, over, 30_000);
    };

    test("the node image runs what is no command with Node, and a command as it is", async () => {
      const node = (args: string[]) => ({ name: "main", image: "node:24", args, ...tells });
      expect(ended(await once("node-flag", { containers: [node(["-e", "process.exit(7)"])] }))?.exitCode).toBe(7);
      expect(ended(await once("node-command", { containers: [node(["sh", "-c", "exit 6"])] }))?.exitCode).toBe(6);
      expect(said(await once("node-file", { containers: [node(["no-such-file.js"])] }))).toContain(
        "Cannot find module",
      );
    }, 60_000);

    test("a container that starts again only by its own rules", async () => {
      const rules = {
        restartPolicy: "Never",
        restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }],
      };
      await lab.run("by-rule", { restartPolicy: "Never", containers: [main("exit 42", rules)] });
      await lab.until("by-rule", (pod) => (first(pod)?.restartCount ?? 0) > 0);
      await lab.remove("by-rule");
      const other = await once("no-rule", { restartPolicy: "Always", containers: [main("exit 41", rules)] });
      expect(other.status?.phase).toBe("Failed");
    }, 60_000);

    test("new resources are given while it runs, or with a new start; too much stays pending", async () => {
      const sized = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
      const resizePolicy = [
        { resourceName: "cpu", restartPolicy: "NotRequired" },
        { resourceName: "memory", restartPolicy: "RestartContainer" },
      ];
      await lab.run("sized", { containers: [main(FOREVER, { resources: sized("100m", "64Mi"), resizePolicy })] });
      const before = await lab.until("sized", running);
      expect(first(before)).toMatchObject({ allocatedResources: { cpu: "100m" }, resources: sized("100m", "64Mi") });
      const resize = (cpu: string, memory: string) =>
        lab.client.patch(
          PODS,
          "default",
          "sized",
          "application/strategic-merge-patch+json",
          { spec: { containers: [{ name: "main", resources: sized(cpu, memory) }] } },
          { subresource: "resize" },
        );
      await resize("200m", "64Mi");
      const wider = await lab.until("sized", (pod) => first(pod)?.resources?.limits?.["cpu"] === "200m");
      expect(first(wider)).toMatchObject({ restartCount: 0, allocatedResources: { cpu: "200m" } });
      expect((await lab.events("sized")).join("\n")).toContain("ResizeCompleted: Pod resize completed: {");
      await resize("200m", "96Mi");
      await lab.until("sized", (pod) => first(pod)?.restartCount === 1 && first(pod)?.state?.running !== undefined);
      await resize("100000", "96Mi");
      const pending = await lab.until(
        "sized",
        (pod) => pod.status?.conditions?.some((one) => one.type === "PodResizePending") === true,
      );
      expect(pending.status?.conditions?.find((one) => one.type === "PodResizePending")).toMatchObject({
        reason: "Infeasible",
        message: expect.stringContaining("Node didn't have enough capacity: cpu, requested: 100000000"),
      });
      expect(first(pending)?.resources?.limits?.["cpu"]).toBe("200m");
      expect((await lab.events("sized")).join("\n")).toContain("ResizeInfeasible: Pod resize Infeasible: {");
      // What another pod has is free again when that one has ended.
      const milli = cpus().length * 1000;
      await lab.run("neighbour", { containers: [main(FOREVER, { resources: sized(`${milli - 300}m`, "64Mi") })] });
      await lab.until("neighbour", running);
      await resize("400m", "96Mi");
      const waits = (pod: Pod) => pod.status?.conditions?.find((one) => one.type === "PodResizePending");
      const deferred = await lab.until("sized", (pod) => waits(pod)?.reason === "Deferred");
      expect(waits(deferred)?.message).toBe(
        `Node didn't have enough resource: cpu, requested: 400, used: ${milli - 300}, capacity: ${milli}`,
      );
      await lab.remove("neighbour");
      const given = await lab.until("sized", (pod) => waits(pod) === undefined);
      expect(first(given)).toMatchObject({ allocatedResources: { cpu: "400m" } });
      await lab.remove("sized");
    }, 60_000);

    test("native sidecars: their startup holds the others up, and they end last, in reverse", async () => {
      const order = (name: string) => main(`trap 'echo ${name} >> $D/order; exit 0' TERM; while :; do sleep 0.1; done`);
      const mounts = {
        volumeMounts: [{ name: "v", mountPath: "/v" }],
        env: [{ name: "D", value: kind === "bare" ? "./v" : "/v" }],
      };
      const sidecar = (name: string, startupProbe?: object) => ({
        ...order(name),
        ...mounts,
        name,
        restartPolicy: "Always",
        command: [
          "sh",
          "-c",
          `D=$TRAVELOPS_MOUNTS/v; trap 'echo ${name} >> $D/order; exit 0' TERM; echo up-${name} >> $D/order; sleep 0.5; touch $D/${name}; while :; do sleep 0.1; done`,
        ],
        ...(startupProbe === undefined ? {} : { startupProbe }),
      });
      const probe = { exec: { command: ["sh", "-c", "test -e $TRAVELOPS_MOUNTS/v/one"] }, periodSeconds: 1 };
      await lab.run("sidecars", {
        terminationGracePeriodSeconds: 5,
        volumes: [{ name: "v", hostPath: { path: "/order", type: "DirectoryOrCreate" } }],
        initContainers: [sidecar("one", probe), sidecar("two")],
        containers: [
          main(`D=$TRAVELOPS_MOUNTS/v; test -e $D/one && echo main-after-one >> $D/order; ${FOREVER}`, mounts),
        ],
      });
      const pod = await lab.until("sidecars", (p) => running(p) && first(p)?.ready === true, 30_000);
      expect(pod.status?.initContainerStatuses?.map(({ ready, started }) => ready && started)).toEqual([true, true]);
      await lab.client.delete(PODS, "default", "sidecars");
      await expect.poll(() => lab.kubelet.pod("default", "sidecars"), { timeout: 20_000 }).toBeUndefined();
      const after = await once("order", {
        volumes: [{ name: "v", hostPath: { path: "/order" } }],
        containers: [main("cat $TRAVELOPS_MOUNTS/v/order; exit 1", { ...mounts, ...tells })],
      });
      expect(said(after)).toBe("up-one\nup-two\nmain-after-one\ntwo\none\n");
    }, 60_000);

    test("names: hostname, full name, the node's, overridden", async () => {
      const tell = { containers: [main("echo $HOSTNAME; exit 1", tells)] };
      expect(said(await once("own-name", tell))).toBe("own-name\n");
      const full = { hostname: "h", subdomain: "sub", setHostnameAsFQDN: true, ...tell };
      expect(said(await once("full-name", full))).toBe("h.sub.default.svc.cluster.local\n");
      expect(said(await once("node-name", { hostNetwork: true, ...tell }))).toBe("node-1\n");
    }, 60_000);

    test("what a subPath cannot be", async () => {
      const mount = { name: "m", mountPath: "/m", subPathExpr: "$(NOT_SET)/x" };
      await lab.run("no-value", {
        volumes: [{ name: "m", emptyDir: {} }],
        containers: [main("true", { volumeMounts: [mount] })],
      });
      const pod = await lab.until("no-value", (p) => first(p)?.state?.waiting?.reason === "CreateContainerConfigError");
      expect(first(pod)?.state?.waiting?.message).toBe('missing value for "NOT_SET"');
      await lab.remove("no-value");
    });

    test("memory volumes, whole and in parts; read-only all the way down", async () => {
      const root = "$TRAVELOPS_MOUNTS";
      const pod = await once("memory", {
        volumes: [{ name: "m", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }],
        initContainers: [
          {
            ...main(`echo deep > ${root}/part/file`),
            name: "init",
            volumeMounts: [{ name: "m", mountPath: "/part", subPath: "a/b" }],
          },
        ],
        containers: [
          main(`cat ${root}/m/a/b/file; exit 1`, {
            ...tells,
            volumeMounts: [{ name: "m", mountPath: "/m", readOnly: true, recursiveReadOnly: "Enabled" }],
          }),
        ],
      });
      expect(said(pod)).toBe("deep\n");
      expect(first(pod)?.volumeMounts?.[0]).toMatchObject({ readOnly: true, recursiveReadOnly: "Enabled" });
    }, 60_000);

    test("no new privileges, and users that must not be root", async () => {
      const quiet = { securityContext: { allowPrivilegeEscalation: false }, ...tells };
      const pod = await once("quiet", { containers: [main("grep NoNewPrivs /proc/self/status; exit 1", quiet)] });
      expect(said(pod)).toMatch(/^NoNewPrivs:\s1\n$/);
      await lab.run("root", { containers: [main("true", { securityContext: { runAsNonRoot: true, runAsUser: 0 } })] });
      const refused = await lab.until("root", (p) => first(p)?.state?.waiting?.reason === "CreateContainerConfigError");
      expect(first(refused)?.state?.waiting?.message).toBe(
        `container's runAsUser breaks non-root policy (pod: "root_default(${refused.metadata.uid})", container: main)`,
      );
      await lab.remove("root");
    });

    test("what cannot be is said on the pod", async () => {
      await once("groups", { securityContext: { fsGroup: 2000 }, containers: [main("true")] });
      const events = (await lab.events("groups")).join("\n");
      // As root they are real: kubelet-users.test.ts.
      if (lab.sandbox.users.kind === "range") expect(events).not.toContain("SandboxLimitation");
      else expect(events).toContain(`SandboxLimitation: The ${kind} sandbox: groups 2000 are not joined`);
    });

    test("probes of their own grace, a deadline, hooks that sleep, messages of their own place", async () => {
      const deaf = "trap '' TERM; while :; do sleep 0.1; done";
      await lab.run("unwell", {
        terminationGracePeriodSeconds: 600,
        containers: [
          main(deaf, {
            livenessProbe: {
              exec: { command: ["false"] },
              periodSeconds: 1,
              failureThreshold: 1,
              terminationGracePeriodSeconds: 1,
            },
          }),
        ],
      });
      const unwell = await lab.until("unwell", (pod) => (first(pod)?.restartCount ?? 0) > 0, 20_000);
      expect(first(unwell)?.lastState?.terminated?.exitCode).toBe(137);
      await lab.remove("unwell");
      const told = await once("told", {
        containers: [
          main("echo from the container > $TRAVELOPS_MOUNTS/tmp/told; kill -TERM $$$$; sleep 1; exit 3", {
            terminationMessagePath: "/tmp/told",
            lifecycle: { postStart: { sleep: { seconds: 1 } } },
          }),
        ],
      });
      // In a process namespace of its own its first process takes no signal that it does not ask for.
      expect(ended(told)).toMatchObject({
        exitCode: kind === "bare" ? 143 : 3,
        reason: "Error",
        message: "from the container\n",
      });
    }, 60_000);

    test("termination messages: below /dev, in volumes, of a second start, and no more than fits", async () => {
      const why = (name: string, terminationMessagePath: string, script = `echo ${name} > $WHY`) => ({
        ...main(`WHY=$TRAVELOPS_MOUNTS${terminationMessagePath}; ${script}; echo discarded > /dev/null`),
        ...{ name, terminationMessagePath, volumeMounts },
      });
      const volumeMounts = [
        { name: "disk", mountPath: "/disk" },
        { name: "memory", mountPath: "/memory" },
      ];
      const volumes = [
        { name: "disk", emptyDir: {} },
        { name: "memory", emptyDir: { medium: "Memory" } },
      ];
      const told = await once("told-where", {
        volumes,
        containers: [
          why("dev", "/dev/why"),
          why("disk", "/disk/below/why"),
          why("memory", "/memory/below/why"),
          why("long", "/why", "head -c 4999 /dev/zero | tr '\\0' a > $WHY; echo >> $WHY"),
        ],
      });
      const messages = Object.fromEntries(
        (told.status?.containerStatuses ?? []).map(({ name, state }) => [name, state?.terminated?.message]),
      );
      // The end of what was written, then the start of that: a quarter of what a pod may say.
      expect(messages).toEqual({ dev: "dev\n", disk: "disk\n", memory: "memory\n", long: "a".repeat(3072) });
      const been = "$TRAVELOPS_MOUNTS/disk/been";
      const twice = `[ -e ${been} ] && echo second > $WHY || { echo first > $WHY; mkdir ${been}; exit 1; }`;
      const again = await once("told-again", {
        ...{ volumes, restartPolicy: "OnFailure", containers: [why("again", "/disk/why", twice)] },
      });
      expect(first(again)).toMatchObject({
        state: { terminated: { message: "second\n" } },
        lastState: { terminated: { message: "first\n" } },
      });
    }, 60_000);

    test.skipIf(kind === "bare")(
      "capabilities: the usual ones, none, and what is added",
      async () => {
        const bounds = async (name: string, securityContext: object): Promise<bigint> => {
          const pod = await once(name, {
            containers: [main("grep CapEff /proc/self/status; exit 1", { securityContext, ...tells })],
          });
          return BigInt(`0x${/CapEff:\s+([0-9a-f]+)/.exec(said(pod))?.[1] ?? "z"}`);
        };
        expect(await bounds("cap-usual", {})).toBe(0xa80425fbn);
        expect(await bounds("cap-none", { capabilities: { drop: ["ALL"] } })).toBe(0n);
        expect(await bounds("cap-one", { capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } })).toBe(1n << 12n);
        expect(await bounds("cap-user", { runAsUser: 1234 })).toBe(0n);
      },
      60_000,
    );
  });
}
