/** The scripts of `scripts/cluster`: what needs controllers and pods, on a whole embedded cluster. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type ClusterProcess, startClusterProcess } from "../cluster-under-test.ts";
import { createBench, scriptsOf } from "./bench.ts";
import { runScript, strictJudge } from "./run-script.ts";

const assets = process.env["KUBEBUILDER_ASSETS"] ?? "";

/** kube-apiserver alone has no controllers to try these on. */
describe.skipIf(assets !== "")("cluster", () => {
  let directory: string;
  let cluster: ClusterProcess | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "travelops-conformance-"));
    cluster = await startClusterProcess({ dataDir: path.join(directory, "data") });
  }, 90_000);

  afterAll(async () => {
    await cluster?.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  test.concurrent.each(scriptsOf("cluster"))(
    "$name",
    async ({ name, script }) => {
      if (cluster === undefined) throw new Error("the cluster did not start");
      const { client, ready } = cluster;
      const bench = await createBench({ client, kubeconfig: ready.kubeconfig, controllers: true }, name);
      try {
        await runScript(script, bench, strictJudge);
      } finally {
        await bench.close();
      }
    },
    120_000,
  );
});
