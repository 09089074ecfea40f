/** The scripts of `scripts/api`, on the embedded API server or, with KUBEBUILDER_ASSETS, on kube-apiserver. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { createBench, scriptsOf } from "./bench.ts";
import { differenceLedger, writtenDifferences } from "./known-differences.ts";
import { runScript } from "./run-script.ts";

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
        const { known, judge } = differenceLedger(name, api.real);
        await runScript(script, bench, judge, { once: known });
      } finally {
        await bench.close();
      }
    },
    120_000,
  );
});

test("each known difference is one of a step there is", () => {
  const steps = new Set(
    scriptsOf("api").flatMap(({ name, script }) =>
      script.blocks.flatMap((block) => (block.type === "step" ? [`${name} | ${block.command}`] : [])),
    ),
  );
  if (process.env["CONFORMANCE"] === undefined)
    expect(writtenDifferences().filter((line) => !steps.has(line))).toEqual([]);
});
