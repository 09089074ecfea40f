/** The scripts of `scripts/control`, on our controllers and scheduler or, with KUBEBUILDER_ASSETS, on upstream's. */
import { afterAll, beforeAll, describe, test } from "vitest";
import type { ApiUnderTest } from "../api-under-test.ts";
import { canStartControl, startControlUnderTest } from "../control/control-under-test.ts";
import { createBench, scriptsOf } from "./bench.ts";
import { runScript, strictJudge } from "./run-script.ts";

describe.skipIf(!canStartControl())("control", () => {
  let api: ApiUnderTest;

  beforeAll(async () => {
    api = await startControlUnderTest();
  }, 90_000);
  afterAll(() => api.close());

  test.concurrent.each(scriptsOf("control"))(
    "$name",
    async ({ name, script }) => {
      const bench = await createBench({ ...api, controllers: true }, name);
      try {
        await runScript(script, bench, strictJudge);
      } finally {
        await bench.close();
      }
    },
    180_000,
  );
});
