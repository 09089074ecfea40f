import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import { expect, test } from "vitest";
import { dataDirOf } from "../data-dir.ts";
import {
  mergeKubeconfig,
  publishKubeconfig,
  withdrawKubeconfig,
  withoutContext,
  type Kubeconfig,
} from "./kubeconfigs.ts";

const own = (name: string, port = 1000) => ({
  apiVersion: "v1" as const,
  kind: "Config" as const,
  "current-context": name,
  clusters: [{ name, cluster: { server: `https://127.0.0.1:${port}` } }],
  users: [{ name: `${name}-admin`, user: { token: "t" } }],
  contexts: [{ name, context: { cluster: name, user: `${name}-admin`, namespace: "default" } }],
});

const names = (config: Kubeconfig): string[] => config.contexts?.map((each) => each.name) ?? [];

test("each cluster has its context; the hub's is the current one, whichever came first", () => {
  const merged = mergeKubeconfig(mergeKubeconfig({}, own("east")), own("hub"));
  expect(names(merged)).toEqual(["east", "hub"]);
  expect(merged["current-context"]).toBe("hub");
});

test("a cluster that comes again replaces its own entries only", () => {
  const both = mergeKubeconfig(mergeKubeconfig({}, own("hub")), own("east"));
  const again = mergeKubeconfig(both, own("east", 2000));
  expect(again.clusters).toEqual([...own("hub").clusters, ...own("east", 2000).clusters]);
  expect(again.users).toHaveLength(2);
});

test("what the user chose stays: the current context, a context's namespace, entries of their own", () => {
  const both = mergeKubeconfig(mergeKubeconfig({}, own("hub")), own("east"));
  const changed: Kubeconfig = {
    ...both,
    "current-context": "east",
    clusters: [...(both.clusters ?? []), { name: "work" }],
    contexts: (both.contexts ?? []).map((each) => ({ ...each, context: { ...each.context, namespace: "mine" } })),
  };
  const merged = mergeKubeconfig(changed, own("east", 2000));
  expect(merged["current-context"]).toBe("east");
  expect(merged.clusters?.map((each) => each.name)).toContain("work");
  expect(merged.contexts?.find((each) => each.name === "east")?.context.namespace).toBe("mine");
});

test("a deleted cluster leaves nothing, and the current context falls back to the hub", () => {
  const both = mergeKubeconfig(mergeKubeconfig({}, own("hub")), own("east"));
  expect(withoutContext({ ...both, "current-context": "east" }, "east")).toEqual(mergeKubeconfig({}, own("hub")));
  expect(withoutContext(both, "north")).toEqual(both);
});

test("a cluster or user that another context still has stays", () => {
  const both = mergeKubeconfig(mergeKubeconfig({}, own("hub")), own("east"));
  const second = { name: "east-too", context: { cluster: "east", user: "hub-admin" } };
  const left = withoutContext({ ...both, contexts: [...(both.contexts ?? []), second] }, "east");
  expect(left.clusters?.map((each) => each.name)).toEqual(["hub", "east"]);
  expect(left.users?.map((each) => each.name)).toEqual(["hub-admin"]);
});

test("many clusters at once: the file has them all, for its owner alone, and is read by clients", async () => {
  const dir = dataDirOf(await mkdtemp(path.join(tmpdir(), "travelops-kubeconfigs-")), {}, "/");
  try {
    const all = ["hub", "a", "b", "c", "d", "e", "f"];
    await Promise.all(
      all.map(async (name, index) => {
        const file = path.join(dir.root, `${name}.json`);
        await writeFile(file, JSON.stringify(own(name, 1000 + index)));
        await publishKubeconfig(dir, file);
      }),
    );
    expect(loadKubeconfig(dir.kubeconfig).server).toBe("https://127.0.0.1:1000");
    for (const [index, name] of all.entries())
      expect(loadKubeconfig(dir.kubeconfig, name).server).toBe(`https://127.0.0.1:${1000 + index}`);
    await Promise.all(all.slice(1).map((name) => withdrawKubeconfig(dir, name)));
    expect((await readFile(dir.kubeconfig, "utf8")).match(/\w+-admin/g)).toEqual(["hub-admin", "hub-admin"]);
    expect((await stat(dir.kubeconfig)).mode & 0o777).toBe(0o600);
    expect(() => loadKubeconfig(dir.kubeconfig, "a")).toThrow('no context named "a"');
    expect(loadKubeconfig(dir.kubeconfig, "hub").server).toBe("https://127.0.0.1:1000");
  } finally {
    await rm(dir.root, { recursive: true });
  }
});
