/** `git push` is the way in: what is pushed is live, what is gone is pruned, what is broken is told and harms nothing. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { isNotFound } from "@travelops/kube";
import { CONFIG_MAPS, customResource, DEPLOYMENTS, PODS } from "@travelops/kube/client/resources";
import { plainEnvironment } from "./command.ts";
import type { GitClone } from "./git-clone.ts";
import { patternIn, scratchDirectory } from "./pattern-under-test.ts";
import { until } from "./until.ts";

const APPLICATIONS = customResource("argoproj.io", "v1alpha1", "applications", "Application", true);
const AGENCY = "charts/all/travel-agency/values.yaml";
const CONTROL = "charts/all/travel-control/values.yaml";
const EXTRA = "charts/all/travel-control/templates/extra.yaml";

const { dataDir, up } = inject("travelops");
const pattern = patternIn(dataDir);
let clone: GitClone;

beforeAll(async () => {
  clone = await pattern.clone();
});
afterAll(async () => {
  await clone.remove();
  pattern.close();
});

/** Puts `to` in the place of `from`, which must be there. */
async function changed(file: string, from: string, to: string): Promise<Record<string, string>> {
  const text = await clone.read(file);
  expect(text).toContain(from);
  return { [file]: text.replace(from, to) };
}

const extraConfigMap = async (name = "extra"): Promise<unknown> =>
  pattern.client.get(CONFIG_MAPS, "travel-control", name).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });

test("the git clone that up prints works in a shell", async () => {
  const line = up.stderr.split("\n").find((each) => each.includes("git clone")) ?? "";
  const directory = await scratchDirectory();
  await promisify(execFile)("/bin/sh", ["-c", line.trim()], {
    cwd: directory,
    env: plainEnvironment({ GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null" }),
  });
  const log = await promisify(execFile)("git", ["log", "--format=%s"], { cwd: path.join(directory, "my-pattern") });
  expect(log.stdout).toContain("Seed the pattern\n");
  await rm(directory, { recursive: true });
});

describe("a push is live", () => {
  test("the README's replica count, and back", async () => {
    const files = await changed(AGENCY, "replicaCount: 1", "replicaCount: 2");
    const commit = await clone.push("Two of each", files);
    await pattern.settled(commit);
    for (const name of ["cars-v1", "travels-v1"]) {
      const deployment = await pattern.client.get(DEPLOYMENTS, "travel-agency", name);
      expect(deployment.status?.readyReplicas, name).toBe(2);
    }
    await clone.git("revert", "--no-edit", "HEAD");
    await clone.git("push", "--quiet");
    await pattern.settled((await clone.git("rev-parse", "HEAD")).trim());
    const pods = await until("one pod of cars is left", async () => {
      const { items } = await pattern.client.list(PODS, {
        namespace: "travel-agency",
        labelSelector: "app=cars",
      });
      return items.length === 1 && items;
    });
    expect(pods[0]?.metadata.deletionTimestamp).toBeUndefined();
  });

  test("a value: the new environment is what a new pod has", async () => {
    const files = await changed(AGENCY, "discounts: {}", 'discounts:\n    env:\n      GREETING: "hello from Git"');
    await pattern.settled(await clone.push("Greet", files));
    const printed = await pattern.kubectl(
      "-n=travel-agency",
      "exec",
      "deploy/discounts-v1",
      "--",
      "printenv",
      "GREETING",
    );
    expect(printed).toBe("hello from Git\n");
  });

  test("an image: rolled out, and the old pod is gone", async () => {
    const files = await changed(CONTROL, "tag: v1", "tag: v1.1");
    await pattern.settled(await clone.push("A newer control", files));
    const pods = await until("only the new pod is left", async () => {
      const { items } = await pattern.client.list(PODS, { namespace: "travel-control" });
      return items.length === 1 && items;
    });
    expect(pods[0]?.status?.containerStatuses?.[0]).toMatchObject({
      image: "quay.io/kiali/demo_travels_control:v1.1",
      ready: true,
    });
  });

  test("a file that comes is applied, one that goes is pruned", async () => {
    const text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata:\n  from: git\n";
    await pattern.settled(await clone.push("More", { [EXTRA]: text }));
    expect(await extraConfigMap()).toMatchObject({ data: { from: "git" } });
    await pattern.settled(await clone.push("Less", { [EXTRA]: undefined }));
    expect(await extraConfigMap()).toBeUndefined();
  });

  test("an application that goes takes its objects along, and comes back whole", async () => {
    const files = await changed(
      "values-hub.yaml",
      "    travel-portal:\n      name:",
      "    travel-portal:\n      disabled: true\n      name:",
    );
    await pattern.settled(await clone.push("No portals", files));
    await until("no portal is left", async () => {
      const { items } = await pattern.client.list(PODS, { namespace: "travel-portal" });
      return items.length === 0;
    });
    expect((await pattern.status()).applications.map((each) => each.name)).not.toContain("travel-portal");
    await clone.git("revert", "--no-edit", "HEAD");
    await clone.git("push", "--quiet");
    const commit = (await clone.git("rev-parse", "HEAD")).trim();
    const report = await until("the portals are back", async () => {
      const seen = await pattern.settled(commit);
      return seen.applications.some((each) => each.name === "travel-portal") && seen;
    });
    expect(report.applications).toHaveLength(4);
  });
});

interface ApplicationStatus {
  readonly conditions?: readonly { readonly type: string; readonly message: string }[];
  readonly operationState?: { readonly phase?: string; readonly message?: string };
}

const controlStatus = async (): Promise<ApplicationStatus> =>
  (await pattern.client.get(APPLICATIONS, "openshift-gitops", "travel-control"))["status"] as ApplicationStatus;

const controlPods = async (): Promise<unknown[]> =>
  (await pattern.client.list(PODS, { namespace: "travel-control" })).items.map((pod) => [
    pod.metadata.uid,
    pod.status?.containerStatuses?.[0]?.restartCount,
  ]);

describe("a broken manifest leaves what runs, and is told with file and line", () => {
  const GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata:\n  a: b\n";
  /** Line 7 is the `---`, so the second document starts at line 8. */
  const broken: readonly [why: string, second: string, line: number, words: RegExp][] = [
    ["no YAML", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra2\n  labels: [\n", 12, /YAML parse error/],
    ["a template that fails", "apiVersion: v1\nkind: {{ .Values.no.such.value }}\n", 9, /nil pointer/],
    [
      "a value of the wrong type",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: extra2\nspec:\n  replicas: many\n",
      8,
      /replicas/,
    ],
    [
      "a kind that nobody serves",
      "apiVersion: no.such/v1\nkind: Thing\nmetadata:\n  name: extra2\n",
      8,
      /no Thing of no\.such\/v1/,
    ],
  ];

  test.each(broken)("%s", async (_why, second, line, words) => {
    const before = await controlPods();
    const commit = await clone.push("Break it", { [EXTRA]: `${GOOD}---\n${second}` });
    const message = await until("the Application says what is wrong", async () => {
      const { conditions = [], operationState } = await controlStatus();
      const said = [...conditions.map((each) => each.message), operationState?.message ?? ""].join("\n");
      return words.test(said) && said;
    });
    expect(message).toContain(`${EXTRA}:${line}`);

    const status = await pattern.travelops("status");
    expect(status.code).toBe(7);
    expect(status.stdout).toMatch(words);
    expect(await controlPods()).toEqual(before);
    expect(await extraConfigMap()).toBeUndefined();

    // What the others declare goes on.
    await until("the other Applications follow", async () => {
      const { applications } = await pattern.status();
      const others = applications.filter((each) => each.name.startsWith("travel-") && each.name !== "travel-control");
      return others.every((each) => each.revision === commit && each.sync === "Synced");
    });

    await pattern.settled(await clone.push("Mend it", { [EXTRA]: undefined }));
    const mended = await until("nothing waits to be tried again", async () => {
      const seen = await controlStatus();
      return seen.operationState?.phase !== "Running" && seen;
    });
    expect(mended.conditions ?? []).toEqual([]);
    expect((await pattern.travelops("status")).code).toBe(0);
  });
});
