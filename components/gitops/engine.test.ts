import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import { CONFIG_MAPS, NAMESPACES } from "@travelops/kube/client/resources";
import { isNotFound, type KubeObject } from "@travelops/kube";
import { eventually, startApiUnderTest, type ApiUnderTest } from "@travelops/test/api-under-test";
import { toolPath } from "@travelops/test/tools";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APPLICATIONS, type Application } from "./application/types.ts";
import { startEngine, type Engine } from "./engine.ts";

const run = promisify(execFile);
const NS = "openshift-gitops";
let api: ApiUnderTest;
let engine: Engine;
let scratch: string;
let repoUrl: string;
const stop = new AbortController();

const git = (...args: string[]) =>
  run("git", ["-C", path.join(scratch, "work"), "-c", "user.name=t", "-c", "user.email=t@example.com", ...args]);

/** Replaces the files of one folder of the repository, and announces the push as the git-server does. */
async function push(folder: string, files: Record<string, string>): Promise<string> {
  const dir = path.join(scratch, "work", folder);
  await rm(dir, { recursive: true, force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
    await writeFile(path.join(dir, name), text);
  }
  await git("add", "-A");
  await git("commit", "-q", "-m", folder);
  await git("push", "-q", "origin", "HEAD:main");
  engine.pushed([repoUrl]);
  return (await git("rev-parse", "HEAD")).stdout.trim();
}

const configMap = (name: string, value: string, extra = ""): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${extra}data:\n  value: "${value}"\n`;

async function createApplication(name: string, folder: string, spec: Record<string, unknown> = {}): Promise<void> {
  await api.client.create(APPLICATIONS, {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name, namespace: NS, finalizers: ["resources-finalizer.argocd.argoproj.io/background"] },
    spec: {
      project: "default",
      source: { repoURL: repoUrl, targetRevision: "main", path: folder },
      destination: { server: "https://kubernetes.default.svc", namespace: `${name}-ns` },
      syncPolicy: {
        automated: { prune: true, selfHeal: true }, // The API alone has no garbage collector, which a foreground deletion waits for.
        syncOptions: ["CreateNamespace=true", "PrunePropagationPolicy=background"],
      },
      ...spec,
    },
  } as Application);
}

const application = (name: string): Promise<Application> => api.client.get(APPLICATIONS, NS, name);
const value = async (namespace: string, name: string): Promise<string | undefined> =>
  (
    (await api.client.get(CONFIG_MAPS, namespace, name)) as KubeObject & {
      data?: Record<string, string>;
    }
  ).data?.["value"];

const until = async (name: string, holds: (app: Application) => boolean): Promise<Application> => {
  let last: Application | undefined;
  try {
    return await eventually(async () => {
      last = await application(name);
      return holds(last) ? last : undefined;
    }, 10_000);
  } catch (error) {
    throw new Error(`${name} stays ${JSON.stringify(last?.status, null, 1)}`, { cause: error });
  }
};

const synced = (revision: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.sync.revision === revision &&
  app.status.operationState?.phase === "Succeeded";

const gone = (read: () => Promise<unknown>): Promise<true> =>
  eventually(async () => {
    try {
      await read();
      return undefined;
    } catch (error) {
      return isNotFound(error) ? true : undefined;
    }
  });

beforeAll(async () => {
  api = await startApiUnderTest();
  scratch = await mkdtemp(path.join(tmpdir(), "gitops-test-"));
  await run("git", ["init", "-q", "--bare", "--initial-branch=main", path.join(scratch, "repo.git")]);
  await run("git", ["-C", path.join(scratch, "repo.git"), "config", "uploadpack.allowAnySHA1InWant", "true"]);
  repoUrl = `file://${scratch}/repo.git`;
  await run("git", ["init", "-q", "--initial-branch=main", path.join(scratch, "work")]);
  await git("remote", "add", "origin", repoUrl);
  await api.client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NS } });
  engine = await startEngine({
    client: api.client,
    namespace: NS,
    cacheDir: path.join(scratch, "cache"),
    helm: toolPath("helm"),
    kubectl: toolPath("kubectl"),
    clock: systemClock,
    log: silentLogger,
    signal: stop.signal,
  });
}, 120_000);

afterAll(async () => {
  stop.abort();
  await engine.done;
  await api.close();
  await rm(scratch, { recursive: true, force: true });
}, 60_000);

describe("the GitOps engine", () => {
  it("brings plain manifests to life, follows pushes and prunes what left Git", async () => {
    const first = await push("plain", { "a.yaml": configMap("a", "1"), "b.yaml": configMap("b", "1") });
    await createApplication("plain", "plain");
    const app = await until("plain", synced(first));
    expect(app.status?.health?.status).toBe("Healthy");
    expect(app.status?.sourceType).toBe("Directory");
    expect(app.status?.resources?.map((each) => `${each.kind}/${each.name} ${each.status}`)).toEqual([
      "ConfigMap/a Synced",
      "ConfigMap/b Synced",
    ]);
    expect(app.status?.history).toHaveLength(1);
    const live = await api.client.get(CONFIG_MAPS, "plain-ns", "a");
    expect(live.metadata.annotations?.["argocd.argoproj.io/tracking-id"]).toBe("plain:/ConfigMap:plain-ns/a");
    expect(live.metadata.managedFields?.map((entry) => [entry.manager, entry.operation])).toContainEqual([
      "argocd-controller",
      "Apply",
    ]);

    const second = await push("plain", { "a.yaml": configMap("a", "2") });
    const after = await until("plain", synced(second));
    expect(await value("plain-ns", "a")).toBe("2");
    await gone(() => api.client.get(CONFIG_MAPS, "plain-ns", "b"));
    expect(after.status?.history?.map((entry) => entry.revision)).toEqual([first, second]);
    expect(after.status?.operationState?.syncResult?.resources?.find((each) => each.name === "b")?.status).toBe(
      "Pruned",
    );
  });

  it("heals an edit and a deletion, without writing history", async () => {
    const revision = await push("heal", { "a.yaml": configMap("a", "wanted") });
    await createApplication("heal", "heal");
    await until("heal", synced(revision));
    await api.client.patch(CONFIG_MAPS, "heal-ns", "a", "application/merge-patch+json", {
      data: { value: "edited" },
    });
    await eventually(async () => (await value("heal-ns", "a")) === "wanted");
    await api.client.delete(CONFIG_MAPS, "heal-ns", "a");
    await eventually(async () => (await value("heal-ns", "a").catch(() => undefined)) === "wanted", 20_000);
    expect((await until("heal", synced(revision))).status?.history).toHaveLength(1);
  });

  it("waits for a namespace that is being deleted, and fills it anew as soon as it is gone", async () => {
    const revision = await push("refill", { "a.yaml": configMap("a", "1") });
    await createApplication("refill", "refill");
    await until("refill", synced(revision));
    await api.client.delete(NAMESPACES, "", "refill-ns");
    await api.client.delete(CONFIG_MAPS, "refill-ns", "a");
    const waits = await until("refill", (app) => app.status?.operationState?.message?.startsWith("waiting") === true);
    expect(waits.status?.operationState).toMatchObject({
      phase: "Running",
      message: "waiting for the namespace refill-ns to be gone",
    });
    // What a cluster's namespace controller does once the namespace is empty.
    const left = await api.client.get(NAMESPACES, "", "refill-ns");
    await api.client.update(NAMESPACES, { ...left, spec: {} } as KubeObject, { subresource: "finalize" });
    const after = await until("refill", synced(revision));
    expect(after.status?.operationState?.retryCount).toBeUndefined();
    expect(await value("refill-ns", "a")).toBe("1");
  });

  it("leaves fields alone that Git does not speak of", async () => {
    const revision = await push("foreign", { "a.yaml": configMap("a", "1") });
    await createApplication("foreign", "foreign");
    await until("foreign", synced(revision));
    await api.client.patch(CONFIG_MAPS, "foreign-ns", "a", "application/merge-patch+json", {
      data: { other: "kept" },
      metadata: { labels: { mine: "yes" } },
    });
    const next = await push("foreign", { "a.yaml": configMap("a", "2") });
    await until("foreign", synced(next));
    const live = (await api.client.get(CONFIG_MAPS, "foreign-ns", "a")) as KubeObject & {
      data: object;
    };
    expect(live.data).toEqual({ value: "2", other: "kept" });
    expect(live.metadata.labels).toEqual({ mine: "yes" });
  });

  it("says file and line of a broken manifest, and leaves what runs untouched", async () => {
    const good = await push("broken", { "a.yaml": configMap("a", "1"), "b.yaml": configMap("b", "1") });
    await createApplication("broken", "broken");
    await until("broken", synced(good));
    await push("broken", { "a.yaml": `${configMap("a", "2")}oops: [\n` });
    const app = await until("broken", (each) => each.status?.conditions?.length === 1);
    expect(app.status?.conditions?.[0]).toMatchObject({
      type: "ComparisonError",
      message: expect.stringMatching(/broken\/a\.yaml:\d+: /),
    });
    expect(app.status?.sync?.status).toBe("Unknown");
    expect(await value("broken-ns", "a")).toBe("1");
    expect(await value("broken-ns", "b")).toBe("1");

    // The API refuses one of two: neither is written.
    await push("broken", {
      "a.yaml": configMap("a", "3"),
      "b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Not_A_Name\n",
    });
    const refused = await until("broken", (each) => /Not_A_Name/.test(each.status?.operationState?.message ?? ""));
    expect(refused.status?.operationState?.message).toContain("broken/b.yaml:1: ConfigMap broken-ns/Not_A_Name");
    expect(await value("broken-ns", "a")).toBe("1");

    const fixed = await push("broken", { "a.yaml": configMap("a", "4"), "b.yaml": configMap("b", "1") });
    const well = await until("broken", synced(fixed));
    expect(well.status?.conditions).toEqual([]);
    expect(await value("broken-ns", "a")).toBe("4");
  });

  it("renders a chart with values and parameters, and tells the template that fails", async () => {
    const chart = {
      "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 0.1.0\n",
      "values.yaml": "value: default\nname: demo\n",
      "extra.yaml": "value: from-file\n",
      "templates/cm.yaml":
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\ndata:\n  value: {{ .Values.value | quote }}\n  release: {{ .Release.Name }}.{{ .Release.Namespace }}\n",
    };
    const revision = await push("chart", chart);
    await createApplication("chart", "chart", {
      source: {
        repoURL: repoUrl,
        targetRevision: "main",
        path: "chart",
        helm: { valueFiles: ["extra.yaml"], parameters: [{ name: "name", value: "$ARGOCD_APP_NAME-cm" }] },
      },
    });
    const app = await until("chart", synced(revision));
    expect(app.status?.sourceType).toBe("Helm");
    expect(await value("chart-ns", "chart-cm")).toBe("from-file");
    await push("chart", {
      ...chart,
      "templates/cm.yaml": `${chart["templates/cm.yaml"]}{{ fail "no such thing" }}\n`,
    });
    const broken = await until("chart", (each) => each.status?.conditions?.length === 1);
    expect(broken.status?.conditions?.[0]?.message).toMatch(/chart\/templates\/cm\.yaml:8: .*no such thing/s);
    expect(await value("chart-ns", "chart-cm")).toBe("from-file");
  });

  it("builds a kustomization with the Application's own options", async () => {
    const revision = await push("kustom", {
      "kustomization.yaml": "resources: [cm.yaml]\nnameSuffix: -base\n",
      "cm.yaml": configMap("a", "1"),
    });
    await createApplication("kustom", "kustom", {
      source: {
        repoURL: repoUrl,
        targetRevision: "main",
        path: "kustom",
        kustomize: { namePrefix: "x-", commonAnnotations: { team: "blue" } },
      },
    });
    const app = await until("kustom", synced(revision));
    expect(app.status?.sourceType).toBe("Kustomize");
    expect((await api.client.get(CONFIG_MAPS, "kustom-ns", "x-a-base")).metadata.annotations).toMatchObject({
      team: "blue",
    });
  });

  it("runs waves in order and a CRD before its objects", async () => {
    const crd =
      "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: trips.example.com\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {plural: trips, singular: trip, kind: Trip, listKind: TripList}\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema:\n        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n";
    const wave = (name: string, number: number): string =>
      configMap(name, String(number), `  annotations:\n    argocd.argoproj.io/sync-wave: "${number}"\n`);
    const revision = await push("waves", {
      "0-trip.yaml": "apiVersion: example.com/v1\nkind: Trip\nmetadata:\n  name: rome\n",
      "1-crd.yaml": crd,
      "2.yaml": wave("late", 2),
      "3.yaml": wave("early", -1),
    });
    await createApplication("waves", "waves");
    await until("waves", synced(revision));
    const [early, late] = await Promise.all(
      ["early", "late"].map((name) => api.client.get(CONFIG_MAPS, "waves-ns", name)),
    );
    expect(BigInt(early?.metadata.resourceVersion ?? "0")).toBeLessThan(BigInt(late?.metadata.resourceVersion ?? "0"));
  });

  it.each([
    ["a missing project", { project: "none" }, /project none which does not exist/],
    ["an unknown cluster", { destination: { server: "https://elsewhere:6443", namespace: "x" } }, /not known here/],
    [
      "a path that leaves the repository",
      { source: { repoURL: "", targetRevision: "main", path: "../../etc" } },
      /leaves the repository|repoURL is missing/,
    ],
  ])("refuses %s as a condition", async (name, spec, message) => {
    const id = name.replaceAll(/[^a-z]+/g, "-");
    const given =
      "source" in spec && spec.source !== undefined ? { source: { ...spec.source, repoURL: repoUrl } } : spec;
    await createApplication(id, "plain", given);
    const app = await until(id, (each) => (each.status?.conditions?.length ?? 0) > 0);
    expect(app.status?.conditions?.[0]?.message).toMatch(message);
    expect(app.status?.sync?.status).toBe("Unknown");
  });

  it("takes its resources along when it is deleted", async () => {
    const revision = await push("leaving", { "a.yaml": configMap("a", "1") });
    await createApplication("leaving", "leaving");
    await until("leaving", synced(revision));
    await api.client.delete(APPLICATIONS, NS, "leaving");
    await gone(() => application("leaving"));
    await expect(api.client.get(CONFIG_MAPS, "leaving-ns", "a")).rejects.toThrow(/not found/);
  });
});
