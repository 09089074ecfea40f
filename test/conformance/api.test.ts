/** The scripts of `scripts/api`, on the embedded API server or, with KUBEBUILDER_ASSETS, on kube-apiserver. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { createBench, scriptsOf } from "./bench.ts";
import { runScript, strictJudge } from "./run-script.ts";

let api: ApiUnderTest;

beforeAll(async () => {
  api = await startApiUnderTest({ serviceAccounts: true });
}, 90_000);
afterAll(() => api.close());

describe.concurrent("api", () => {
  test.each(scriptsOf("api"))(
    "$name",
    async ({ name, script }) => {
      const bench = await createBench({ ...api, controllers: false }, name);
      try {
        await runScript(script, bench, strictJudge);
      } finally {
        await bench.close();
      }
    },
    120_000,
  );
});
