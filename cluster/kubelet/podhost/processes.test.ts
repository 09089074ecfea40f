import { createRequire } from "node:module";
import { expect, it } from "vitest";

const { send } = createRequire(import.meta.url)("./processes.cjs") as { send(pid: number, signal: string): boolean };

it("signals nobody for a process that is not there yet: 0 would be the caller's own group", () => {
  expect([send(0, "SIGKILL"), send(-0, "SIGKILL"), send(Number.NaN, "SIGKILL")]).toEqual([false, false, false]);
});
