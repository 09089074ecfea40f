/** What a script runs on: a directory, a namespace with its ServiceAccount, and a kubeconfig that points there. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KubeClient } from "@travelops/kube";
import type { Bench } from "./run-script.ts";
import { parseScript, type Script } from "./script.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");

export interface NamedScript {
  readonly name: string;
  readonly file: string;
  readonly script: Script;
}

export type ScriptFolder = "api" | "control" | "cluster";

/** The scripts of a folder of `scripts/`. CONFORMANCE=word picks those with the word in their names. */
export function scriptsOf(folder: ScriptFolder): NamedScript[] {
  const directory = path.join(import.meta.dirname, "scripts", folder);
  const wanted = process.env["CONFORMANCE"] ?? "";
  return readdirSync(directory)
    .filter((file) => file.endsWith(".txt") && file.includes(wanted))
    .toSorted()
    .map((file) => ({
      name: file.slice(0, -".txt".length),
      file: path.join(directory, file),
      script: parseScript(readFileSync(path.join(directory, file), "utf8")),
    }));
}

export interface ServerUnderTest {
  readonly client: KubeClient;
  readonly kubeconfig: string;
  /** Makes the ServiceAccount `default` of each namespace where no controller does. */
  readonly controllers: boolean;
}

/** A new namespace and directory for one script. */
export async function createBench(server: ServerUnderTest, name: string): Promise<Bench & { close(): Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), "travelops-conformance-"));
  const namespace = `c-${name}`;
  await server.client.create(
    { group: "", version: "v1", resource: "namespaces", kind: "Namespace", namespaced: false },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  );
  if (!server.controllers)
    await server.client.create(
      { group: "", version: "v1", resource: "serviceaccounts", kind: "ServiceAccount", namespaced: true },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } },
    );
  const kubeconfig = path.join(directory, ".kubeconfig");
  await writeFile(kubeconfig, inNamespace(await readFile(server.kubeconfig, "utf8"), namespace), { mode: 0o600 });
  return {
    directory,
    kubeconfig,
    variables: new Map([
      ["ns", namespace],
      ["root", ROOT],
    ]),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The kubeconfigs of our tests are JSON, which is YAML as well. */
function inNamespace(kubeconfig: string, namespace: string): string {
  const config = JSON.parse(kubeconfig) as { contexts: { context: object }[] };
  const contexts = config.contexts.map((each) => ({ ...each, context: { ...each.context, namespace } }));
  return JSON.stringify({ ...config, contexts });
}
