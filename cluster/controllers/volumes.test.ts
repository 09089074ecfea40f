import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PersistentVolume, PersistentVolumeClaim } from "@travelops/kube";
import { EVENTS, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from "@travelops/kube";
import { eventually } from "../../test/api-under-test.ts";
import { startScheduler } from "../scheduler/start-scheduler.ts";
import { node, pod } from "../scheduler/testing/objects.ts";
import { type Harness, startHarness } from "./testing/harness.ts";

const volumesDirectory = mkdtempSync(join(tmpdir(), "travelops-volumes-"));
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    kubelet: {},
    volumesDirectory,
    beside: (client, signal) => startScheduler({ client, signal }),
  });
  for (const name of ["a", "b"]) {
    await harness.client.create(NODES, node(name));
    await harness.client.patch(
      NODES,
      "",
      name,
      "application/merge-patch+json",
      { status: node(name).status },
      { subresource: "status" },
    );
    await harness.client.patch(NODES, "", name, "application/merge-patch+json", {
      metadata: { labels: { "kubernetes.io/hostname": name } },
      spec: { taints: null },
    });
  }
  for (const [name, provisioner, allowVolumeExpansion] of [
    ["late", "travelops.io/local", true],
    ["static", "kubernetes.io/no-provisioner", false],
  ] as const) {
    await harness.client.create(STORAGE_CLASSES, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name },
      provisioner,
      allowVolumeExpansion,
      volumeBindingMode: "WaitForFirstConsumer",
    });
  }
}, 90_000);
afterAll(async () => {
  await harness.close();
  rmSync(volumesDirectory, { recursive: true, force: true });
});

const claim = (namespace: string, storageClassName: string): PersistentVolumeClaim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace },
  spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
});
const getClaim = (namespace: string): Promise<PersistentVolumeClaim> =>
  harness.client.get(PERSISTENT_VOLUME_CLAIMS, namespace, "data");
const bound = (namespace: string): Promise<PersistentVolumeClaim> =>
  eventually(async () => {
    const found = await getClaim(namespace);
    return found.status?.phase === "Bound" && found;
  });
async function use(namespace: string): Promise<void> {
  const { spec } = pod("p", { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] });
  await harness.client.create(PODS, { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace }, spec });
}
const placed = (namespace: string): Promise<string> =>
  eventually(async () => (await harness.client.get(PODS, namespace, "p")).spec.nodeName);

test("a claim that waits for its first pod gets its volume with it", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, claim(namespace, "late"));
  const event = await eventually(
    async () =>
      (await harness.client.list(EVENTS, { namespace, fieldSelector: "reason=WaitForFirstConsumer" })).items[0],
  );
  expect(event.message).toBe("waiting for first consumer to be created before binding");
  expect((await getClaim(namespace)).spec.volumeName).toBeUndefined();
  await use(namespace);
  expect(await placed(namespace)).toMatch(/^[ab]$/);
  expect((await bound(namespace)).metadata.annotations?.["volume.kubernetes.io/selected-node"]).toMatch(/^[ab]$/);
});

test("a pod goes where a volume is that its claim can have", async () => {
  const namespace = await harness.namespace();
  const volume: PersistentVolume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: namespace },
    spec: {
      storageClassName: "static",
      capacity: { storage: "2Gi" },
      accessModes: ["ReadWriteOnce"],
      local: { path: "/srv" },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["b"] }] }],
        },
      },
    },
  };
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, claim(namespace, "static"));
  await use(namespace);
  await eventually(async () =>
    (await harness.client.get(PODS, namespace, "p")).status?.conditions?.some(
      (one) => one.message?.includes("node(s) didn't find available persistent volumes to bind") === true,
    ),
  );
  await harness.client.create(PERSISTENT_VOLUMES, volume);
  expect(await placed(namespace)).toBe("b");
  expect((await bound(namespace)).spec.volumeName).toBe(namespace);
});

test("a bound claim of a class that allows it grows", async () => {
  const namespace = await harness.namespace();
  const grow = (): Promise<unknown> =>
    harness.client.patch(PERSISTENT_VOLUME_CLAIMS, namespace, "data", "application/merge-patch+json", {
      spec: { resources: { requests: { storage: "3Gi" } } },
    });
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, claim(namespace, "late"));
  await use(namespace);
  const before = await bound(namespace);
  await grow();
  await eventually(async () => (await getClaim(namespace)).status?.capacity?.["storage"] === "3Gi");
  const volume = await harness.client.get(PERSISTENT_VOLUMES, "", before.spec.volumeName ?? "");
  expect(volume.spec.capacity).toEqual({ storage: "3Gi" });

  await harness.client.patch(STORAGE_CLASSES, "", "late", "application/merge-patch+json", {
    allowVolumeExpansion: false,
  });
  await expect(
    harness.client.patch(PERSISTENT_VOLUME_CLAIMS, namespace, "data", "application/merge-patch+json", {
      spec: { resources: { requests: { storage: "4Gi" } } },
    }),
  ).rejects.toThrow(
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
  );
});
