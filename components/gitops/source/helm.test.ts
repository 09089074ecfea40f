import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HelmSource } from "../application/types.ts";
import { renderHelm } from "./helm.ts";
import { ToolError, type RunTool } from "./run-tool.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "gitops-helm-test-"));
  await mkdir(path.join(root, "chart"));
  await writeFile(path.join(root, "chart", "a,b"), "x");
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** The arguments that helm is started with. */
async function argumentsFor(options: HelmSource): Promise<readonly string[]> {
  let given: readonly string[] = [];
  await helmRender(options, async (_tool, args) => {
    given = args;
    return { stdout: "", stderr: "" };
  });
  return given;
}

const helmRender = (options: HelmSource, run: RunTool) =>
  renderHelm({
    run,
    helm: "helm",
    root,
    chart: path.join(root, "chart"),
    options,
    releaseName: "app",
    namespace: "ns",
    kubeVersion: "1.35.0",
    apiVersions: [],
    buildEnvironment: {},
    signal: new AbortController().signal,
  });

it("tells a fault of a values file by its place in the repository, and nothing of the controller's disk", async () => {
  const note = `level=INFO msg="found symbolic link in path" path=${root}/chart/values.yaml resolved=${root}/values.yaml`;
  const fault = `Error: failed to parse ${root}/values-hub.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 50: did not find expected node content`;
  const failing = helmRender({}, () =>
    Promise.reject(new ToolError("helm", { stdout: "", stderr: "" }, 1, `helm: ${note}\n${fault}`)),
  );
  const told = await failing.catch((error: unknown) => String(error));
  expect(told).toMatch(/values-hub\.yaml:50: helm: Error: failed to parse values-hub\.yaml: .*line 50: did not find/);
  expect(told).not.toContain(root);
  expect(told).not.toContain("INFO");
});

describe("what an Application says to helm", () => {
  it("stays in its place among the arguments", async () => {
    expect((await argumentsFor({ releaseName: "my-app.v2" })).slice(0, 3)).toEqual([
      "template",
      "my-app.v2",
      path.join(root, "chart"),
    ]);
    expect(await argumentsFor({ fileParameters: [{ name: "text", path: "a,b" }] })).toContain(
      `text=${path.join(root, "chart", "a\\,b")}`,
    );
  });

  it.each<[string, HelmSource]>([
    ["a release name", { releaseName: "--set-file=token=/var/run/secrets/token" }],
    ["a file parameter's name", { fileParameters: [{ name: "a=/var/run/secrets/token,b", path: "a,b" }] }],
    ["a values file", { valueFiles: ["a,b"] }],
  ])("is refused where it would read a file of the controller's: %s", async (_what, options) => {
    await expect(argumentsFor(options)).rejects.toThrow(/^helm\./);
  });
});
