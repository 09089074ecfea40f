/** The scripts of `scripts/control`, on our controllers and scheduler or, with KUBEBUILDER_ASSETS, on upstream's. */
import { afterAll, beforeAll, describe, test } from "vitest";
import type { ApiUnderTest } from "../api-under-test.ts";
import { canStartControl, startControlUnderTest } from "../control/control-under-test.ts";
import { createBench, type NamedScript, scriptsOf } from "./bench.ts";
import { runScript, strictJudge } from "./run-script.ts";

const OWN_NODES: ReadonlySet<string> = new Set(["nodes", "scheduling"]);

describe.skipIf(!canStartControl())("control", () => {
  let api: ApiUnderTest;

  beforeAll(async () => {
    api = await startControlUnderTest();
  }, 90_000);
  afterAll(() => api.close());

  const playOn = async (server: ApiUnderTest, { name, script }: NamedScript): Promise<void> => {
    const bench = await createBench({ ...server, controllers: true }, name);
    try {
      await runScript(script, bench, strictJudge);
    } finally {
      await bench.close();
    }
  };
  // A script that brings nodes of its own changes what the scheduler says in the others, and they what it says there.
  const play = async (script: NamedScript): Promise<void> => {
    if (!OWN_NODES.has(script.name)) return playOn(api, script);
    const own = await startControlUnderTest();
    try {
      await playOn(own, script);
    } finally {
      await own.close();
    }
  };
  test.concurrent.each(scriptsOf("control"))("$name", play, 180_000);
});
