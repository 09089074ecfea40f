/** Real users and groups, which only a cluster that runs as root can give. */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import {
  CONFIG_MAPS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  SECRETS,
} from "@travelops/kube/client/resources.ts";
import { createNodeAccess } from "./access/node-access.ts";
import { hostId } from "./sandbox/id-ranges.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const hasRange = probed.kind === "namespaces" && probed.users === "range";
const over = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
const meta = (name: string) => ({ name, namespace: "default" });
const said = (pod: Pod, name = "main"): string[] =>
  pod.status?.containerStatuses
    ?.find((one) => one.name === name)
    ?.state?.terminated?.message?.trim()
    .split("\n") ?? [];

describe.skipIf(!hasRange)("users and groups, where the cluster runs as root", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab("namespaces");
    await lab.client.create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: meta("s"), data: { key: "aGk=" } });
    await lab.client.create(CONFIG_MAPS, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: meta("c"),
      data: { key: "" },
    });
  });
  afterAll(async () => {
    await lab?.close();
  });

  const main = (script: string, more: object = {}) => ({
    ...{ name: "main", image: "busybox", command: ["sh", "-c", `exec >/dev/termination-log 2>&1; ${script}`] },
    ...more,
  });
  const once = async (name: string, spec: Record<string, unknown>): Promise<Pod> => {
    await lab.run(name, { restartPolicy: "Never", ...spec });
    return lab.until(name, over, 30_000);
  };

  test("a container runs as its user, in its groups; commands that join it, too", async () => {
    const securityContext = {
      runAsUser: 1000650000,
      runAsGroup: 3000,
      fsGroup: 2000,
      supplementalGroups: [4000, 2000],
    };
    const pod = await once("user", {
      securityContext,
      containers: [main("id -u; id -g; id -G; stat -L -c %u /proc/self/fd/0", { tty: true })],
    });
    expect(said(pod)).toEqual(["1000650000", "3000", "3000 2000 4000", "1000650000"]);
    await lab.run("joined", {
      securityContext,
      containers: [{ name: "main", image: "busybox", command: ["sleep", "600"] }],
    });
    await lab.until("joined", (one) => one.status?.phase === "Running");
    let text = "";
    const take = (chunk: Uint8Array): void => void (text += Buffer.from(chunk).toString());
    await createNodeAccess({ kubelets: [lab.kubelet], dial: () => Promise.reject(new Error("no dials here")) }).exec(
      { ...{ namespace: "default", pod: "joined", container: "", tty: false, stdin: false }, command: ["id", "-G"] },
      { stdout: take, stderr: take },
      new AbortController().signal,
    );
    expect(text).toBe("3000 2000 4000\n");
    await lab.remove("joined");
    expect((await lab.events("user")).join()).not.toContain("SandboxLimitation");
  }, 60_000);

  test("root may give files away, and other users cannot touch what is not theirs", async () => {
    const volumeMounts = [{ name: "v", mountPath: "/v" }];
    const as = (runAsUser: number) => ({ volumeMounts, securityContext: { runAsUser } });
    const pod = await once("shared", {
      volumes: [{ name: "v", emptyDir: {} }],
      initContainers: [
        main("echo x > /v/given; chown 1001:1002 /v/given; chmod 600 /v/given", { name: "init", volumeMounts }),
      ],
      containers: [
        main("stat -c '%u %g' /v/given; cat /v/given", { ...as(1001), name: "owner" }),
        main("cat /v/given; echo y > /etc/mine; touch /tmp/mine && echo own", { ...as(1003), name: "other" }),
      ],
    });
    expect(said(pod, "owner")).toEqual(["1001 1002", "x"]);
    expect(said(pod, "other").join()).toMatch(/given: Permission denied,.*\/etc\/mine: Permission denied,own/);
  }, 60_000);

  test("fsGroup owns the pod's volumes, with upstream's modes", async () => {
    const volumes = [
      { name: "disk", emptyDir: {} },
      { name: "memory", emptyDir: { medium: "Memory" } },
      { name: "secret", secret: { secretName: "s", defaultMode: 0o400 } },
      { name: "config", configMap: { name: "c" } },
      { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
    ];
    const shown = ["/disk", "/memory", "/secret/..data/", "/secret/key", "/config/key", "/token/token"];
    const pod = await once("group", {
      ...{ volumes, securityContext: { runAsUser: 1001, fsGroup: 2000 } },
      containers: [
        main(
          `stat -L -c '%a %u %g' ${shown.join(" ")}; touch /disk/new /memory/new; stat -c '%u %g' /disk/new /memory/new; cat /secret/key`,
          {
            volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })),
          },
        ),
      ],
    });
    expect(said(pod)).toEqual([
      ...["2777 0 2000", "2777 0 2000", "2755 0 2000", "440 0 2000", "644 0 2000", "640 1001 2000"],
      ...["1001 2000", "1001 2000", "hi"],
    ]);
  }, 60_000);

  test("a claim's files are given once, and not again where its root is given already", async () => {
    const path = join(lab.directory, "nodes", "node-1", "pv");
    mkdirSync(path, { recursive: true });
    const file = (name: string): { mode: string; group: number } => {
      const found = statSync(join(path, name));
      return { mode: (found.mode & 0o7777).toString(8), group: found.gid };
    };
    writeFileSync(join(path, "first"), "", { mode: 0o600 });
    const size = { storage: "1Gi" };
    await lab.client.create(PERSISTENT_VOLUMES, {
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "pv" } },
      spec: {
        ...{ capacity: size, accessModes: ["ReadWriteOnce"], claimRef: meta("claim"), local: { path: "/pv" } },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }] }],
          },
        },
      },
    });
    await lab.client.create(PERSISTENT_VOLUME_CLAIMS, {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: meta("claim") },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: size }, volumeName: "pv" },
    });
    const bound = { status: { phase: "Bound" } };
    await lab.client.patch(PERSISTENT_VOLUME_CLAIMS, "default", "claim", "application/merge-patch+json", bound, {
      subresource: "status",
    });
    const claimed = async (name: string, fsGroupChangePolicy: string): Promise<void> => {
      const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "claim" } }];
      const containers = [main("true", { volumeMounts: [{ name: "v", mountPath: "/v" }] })];
      await once(name, { volumes, containers, securityContext: { fsGroup: 2000, fsGroupChangePolicy } });
    };
    await claimed("mismatched", "OnRootMismatch");
    expect(file(".")).toEqual({ mode: "2775", group: hostId(2000) });
    expect(file("first")).toEqual({ mode: "660", group: hostId(2000) });
    writeFileSync(join(path, "second"), "", { mode: 0o600 });
    await claimed("matched", "OnRootMismatch");
    expect(file("second").mode).toBe("600");
    await claimed("always", "Always");
    expect(file("second")).toEqual({ mode: "660", group: hostId(2000) });
  }, 60_000);
});
