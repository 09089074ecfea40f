/** The scripts of `scripts/control`, on our controllers and scheduler or, with KUBEBUILDER_ASSETS, on upstream's. */
import { afterAll, beforeAll, describe, test } from "vitest";
import type { ApiUnderTest } from "../api-under-test.ts";
import { canStartControl, startControlUnderTest } from "../control/control-under-test.ts";
import { createBench, type NamedScript, scriptsOf } from "./bench.ts";
import { runScript, strictJudge } from "./run-script.ts";

describe.skipIf(!canStartControl())("control", () => {
  let api: ApiUnderTest;

  beforeAll(async () => {
    api = await startControlUnderTest();
  }, 90_000);
  afterAll(() => api.close());

  const play = async ({ name, script }: NamedScript): Promise<void> => {
    const bench = await createBench({ ...api, controllers: true }, name);
    try {
      await runScript(script, bench, strictJudge);
    } finally {
      await bench.close();
    }
  };
  // A script that brings nodes of its own changes what the scheduler says in the others.
  const [alone = [], together = []] = [true, false].map((own) =>
    scriptsOf("control").filter(({ name }) => ["nodes", "scheduling"].includes(name) === own),
  );
  test.concurrent.each(together)("$name", play, 180_000);
  test.each(alone)("$name", play, 180_000);
});
