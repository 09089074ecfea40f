import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "@travelops/kube";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import {
  CONFIG_MAPS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  SECRETS,
  SERVICES,
} from "@travelops/kube/client/resources.ts";
import { createNodeAccess } from "./access/node-access.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.2 & wait $!; done";
const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
const ended = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** In the bare sandbox a mount path is below $TRAVELOPS_MOUNTS. */
for (const kind of ["namespaces", "bare"] as const) {
  const refused = kind === "namespaces" && probed.kind === "bare" ? probed.note : undefined;
  const M = kind === "bare" ? "$TRAVELOPS_MOUNTS" : "";
  describe.skipIf(refused !== undefined)(
    `volumes and environment, ${kind} sandbox${refused === undefined ? "" : ` (skipped: ${refused})`}`,
    () => {
      let lab: Lab;
      const create = (resource: Parameters<Lab["client"]["create"]>[0], object: Record<string, unknown>) =>
        lab.client.create(resource, object as unknown as KubeObject);
      const meta = (name: string) => ({ name, namespace: "default" });
      /** Runs a script in a pod to its end; its output. */
      const output = async (
        name: string,
        script: string,
        spec: Record<string, unknown> = {},
        container: Record<string, unknown> = {},
      ): Promise<string> => {
        await lab.run(name, {
          restartPolicy: "Never",
          ...spec,
          containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script], ...container }],
        });
        await lab.until(name, ended);
        return read(name);
      };
      const read = async (name: string): Promise<string> => {
        const access = createNodeAccess({
          kubelets: [lab.kubelet],
          dial: () => Promise.reject(new Error("no dials here")),
        });
        const request = {
          namespace: "default",
          pod: name,
          container: "",
          follow: false,
          previous: false,
          timestamps: false,
        };
        let text = "";
        for await (const chunk of await access.logs(request, new AbortController().signal))
          text += Buffer.from(chunk).toString();
        return text;
      };
      const exec = async (name: string, script: string): Promise<string> => {
        const access = createNodeAccess({
          kubelets: [lab.kubelet],
          dial: () => Promise.reject(new Error("no dials here")),
        });
        let text = "";
        const take = (chunk: Uint8Array): void => void (text += Buffer.from(chunk).toString());
        await access.exec(
          { namespace: "default", pod: name, container: "", command: ["sh", "-c", script], tty: false, stdin: false },
          { stdout: take, stderr: take },
          new AbortController().signal,
        );
        return text;
      };

      beforeAll(async () => {
        lab = await startLab(kind);
        await create(CONFIG_MAPS, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: meta("config"),
          data: { "a.txt": "alpha", B: "beta" },
          binaryData: { bin: "AAEC" },
        });
        await create(SECRETS, {
          apiVersion: "v1",
          kind: "Secret",
          metadata: meta("secret"),
          data: { password: Buffer.from("hush").toString("base64") },
        });
        await create(SERVICES, {
          apiVersion: "v1",
          kind: "Service",
          metadata: meta("red-is"),
          spec: { ports: [{ name: "main", port: 6379 }] },
        });
      });
      afterAll(async () => {
        await lab?.close();
      });
      test("the environment, with every kind of reference", async () => {
        const text = await output(
          "env",
          "env | sort; echo args: $0 $1",
          { initContainers: undefined },
          {
            args: ["$(NAME)-$(MISSING)", "$$(NAME)"],
            envFrom: [
              { prefix: "CFG_", configMapRef: { name: "config" } },
              { secretRef: { name: "none", optional: true } },
            ],
            env: [
              { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
              { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              { name: "NODE_IP", valueFrom: { fieldRef: { fieldPath: "status.hostIP" } } },
              { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "secret", key: "password" } } },
              { name: "BOTH", value: "$(NAME):$(PASSWORD)" },
              { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "requests.cpu", divisor: "1m" } } },
            ],
            resources: { requests: { cpu: "250m" } },
          },
        );
        const pod = await lab.get("env");
        for (const line of [
          "CFG_B=beta",
          "NAME=env",
          `IP=${pod.status?.podIP}`,
          "NODE_IP=10.128.0.1",
          "PASSWORD=hush",
          "BOTH=env:hush",
          "CPUS=250",
          "HOSTNAME=env",
          "RED_IS_SERVICE_PORT=6379",
          "RED_IS_SERVICE_PORT_MAIN=6379",
        ])
          expect(text.split("\n")).toContain(line);
        expect(text).toContain("args: env-$(MISSING) $(NAME)");
        expect(pod.status?.qosClass).toBe("Burstable");
      });

      test("projected files with modes, items and the downward API", async () => {
        const text = await output(
          "files",
          `cat ${M}/cfg/a.txt ${M}/all/x/pw ${M}/all/labels ${M}/all/name; stat -L -c %a ${M}/cfg/a.txt ${M}/all/x/pw; od -An -tx1 ${M}/cfg/bin; readlink ${M}/cfg/a.txt; cat ${M}/one/renamed`,
          {
            volumes: [
              { name: "cfg", configMap: { name: "config", defaultMode: 0o440 } },
              { name: "one", configMap: { name: "config" } },
              {
                name: "all",
                projected: {
                  sources: [
                    { secret: { name: "secret", items: [{ key: "password", path: "x/pw", mode: 0o400 }] } },
                    {
                      downwardAPI: {
                        items: [
                          { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
                          { path: "name", fieldRef: { fieldPath: "metadata.name" } },
                        ],
                      },
                    },
                  ],
                },
              },
            ],
          },
          {
            volumeMounts: [
              { name: "cfg", mountPath: "/cfg" },
              { name: "all", mountPath: "/all" },
              { name: "one", mountPath: "/one/renamed", subPath: "B" },
            ],
          },
        );
        expect(text).toBe("alphahush" + "files" + "440\n400\n 00 01 02\n..data/a.txt\nbeta");
      });

      test("a service account's token, bound to the pod", async () => {
        const volumes = [
          {
            name: "t",
            projected: {
              sources: [{ serviceAccountToken: { path: "token", audience: "vault", expirationSeconds: 600 } }],
            },
          },
        ];
        const text = await output(
          "token",
          `cat ${M}/t/token`,
          { volumes, serviceAccountName: "default" },
          { volumeMounts: [{ name: "t", mountPath: "/t" }] },
        );
        const claims = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as Record<
          string,
          unknown
        >;
        const pod = await lab.get("token");
        expect(claims).toMatchObject({
          aud: ["vault"],
          sub: "system:serviceaccount:default:default",
          "kubernetes.io": { pod: { name: "token", uid: pod.metadata.uid } },
        });
      });

      test("a changed ConfigMap changes its files, all at once", async () => {
        await create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: meta("live"), data: { k: "one" } });
        await lab.run("live", {
          volumes: [{ name: "v", configMap: { name: "live" } }],
          containers: [
            {
              name: "main",
              image: "busybox",
              command: ["sh", "-c", FOREVER],
              volumeMounts: [{ name: "v", mountPath: "/live" }],
            },
          ],
        });
        await lab.until("live", ready);
        expect(await exec("live", `cat ${M}/live/k`)).toBe("one");
        await lab.client.patch(CONFIG_MAPS, "default", "live", "application/merge-patch+json", {
          data: { k: "two", more: "x" },
        });
        await expect.poll(() => exec("live", `cat ${M}/live/k ${M}/live/more`), { timeout: 5000 }).toBe("twox");
        await lab.remove("live");
      });

      test("a pod waits for a volume's Secret, and says so", async () => {
        await lab.run("mounting", {
          restartPolicy: "Never",
          volumes: [{ name: "v", secret: { secretName: "later" } }],
          containers: [
            { name: "main", image: "busybox", command: ["true"], volumeMounts: [{ name: "v", mountPath: "/v" }] },
          ],
        });
        await expect
          .poll(() => lab.events("mounting"), { timeout: 5000 })
          .toContain('FailedMount: MountVolume.SetUp failed for volume "v" : secret "later" not found');
        await lab.until(
          "mounting",
          (p) => p.status?.containerStatuses?.[0]?.state?.waiting?.reason === "ContainerCreating",
        );
        await create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: meta("later"), data: {} });
        await lab.until("mounting", ended);
      });

      test("emptyDir is shared, subPath and claims work, hostPath is the node's", async () => {
        await lab.client.create(PERSISTENT_VOLUMES, {
          apiVersion: "v1",
          kind: "PersistentVolume",
          metadata: { name: "pv" },
          spec: {
            capacity: { storage: "1Gi" },
            accessModes: ["ReadWriteOnce"],
            hostPath: { path: "/data/pv" },
            claimRef: { namespace: "default", name: "claim" },
          },
        });
        const claim = {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: meta("claim"),
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, volumeName: "pv" },
        };
        await lab.client.create(PERSISTENT_VOLUME_CLAIMS, claim);
        await lab.client.patch(
          PERSISTENT_VOLUME_CLAIMS,
          "default",
          "claim",
          "application/merge-patch+json",
          { status: { phase: "Bound" } },
          { subresource: "status" },
        );
        const spec = {
          volumes: [
            { name: "e", emptyDir: {} },
            { name: "c", persistentVolumeClaim: { claimName: "claim" } },
            { name: "h", hostPath: { path: "/etc", type: "" } },
          ],
          initContainers: [
            {
              name: "init",
              image: "busybox",
              command: ["sh", "-c", `echo shared > ${M}/e/deep/file; echo kept > ${M}/c/file; ls ${M}/h`],
              volumeMounts: [
                { name: "e", mountPath: "/e" },
                { name: "e", mountPath: "/e/deep", subPath: "sub/dir" },
                { name: "c", mountPath: "/c" },
                { name: "h", mountPath: "/h" },
              ],
            },
          ],
        };
        const mounts = {
          volumeMounts: [
            { name: "e", mountPath: "/e" },
            { name: "c", mountPath: "/c", readOnly: true },
            { name: "h", mountPath: "/h" },
          ],
        };
        if (kind === "bare") {
          // Without mounts a volume inside a volume has no place of its own.
          spec.initContainers[0]!.command[2] = `mkdir -p ${M}/e/sub/dir; echo shared > ${M}/e/sub/dir/file; echo kept > ${M}/c/file; ls ${M}/h`;
          spec.initContainers[0]!.volumeMounts.splice(1, 1);
        }
        const text = await output(
          "disks",
          `cat ${M}/e/sub/dir/file ${M}/c/file; ls ${M}/h; touch ${M}/c/y 2>&1 | grep -c Read-only`,
          spec,
          mounts,
        );
        expect(text).toBe(kind === "bare" ? "shared\nkept\n0\n" : "shared\nkept\n1\n");
      });

      test("hooks run, and a deleted pod gets its grace", async () => {
        await lab.run("hooked", {
          terminationGracePeriodSeconds: 5,
          volumes: [{ name: "h", hostPath: { path: "/hooks", type: "DirectoryOrCreate" } }],
          containers: [
            {
              name: "main",
              image: "busybox",
              command: ["sh", "-c", `trap "echo term >> ${M}/h/log; exit 0" TERM; while :; do sleep 0.1; done`],
              volumeMounts: [{ name: "h", mountPath: "/h" }],
              lifecycle: {
                postStart: { exec: { command: ["sh", "-c", `echo post >> ${M}/h/log`] } },
                preStop: { exec: { command: ["sh", "-c", `echo pre >> ${M}/h/log`] } },
              },
            },
          ],
        });
        await lab.until("hooked", ready);
        await lab.client.delete(
          { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true },
          "default",
          "hooked",
        );
        await expect
          .poll(
            () =>
              lab.get("hooked").then(
                () => "there",
                () => "gone",
              ),
            { timeout: 8000 },
          )
          .toBe("gone");
        expect(
          await output(
            "hook-log",
            `cat ${M}/h/log`,
            { volumes: [{ name: "h", hostPath: { path: "/hooks" } }] },
            { volumeMounts: [{ name: "h", mountPath: "/h" }] },
          ),
        ).toBe("post\npre\nterm\n");
      });
    },
  );
}
