/** The whole pattern where there is no root, and where there are no namespaces. */
import { accessSync, constants } from "node:fs";
import { chown, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NODES } from "@travelops/kube/client/resources";
import { liveProcesses } from "../crash/process-tree.ts";
import { command, type CommandOptions, ROOT } from "./command.ts";
import { bringUp, patternIn, type PatternUnderTest, scratchDirectory } from "./pattern-under-test.ts";
import { portals } from "./travel-control.ts";
import { until } from "./until.ts";

const NOBODY = { uid: 65_534, gid: 65_534 };

/** Why the run as another user cannot be tried here. */
function noOtherUser(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root to become another user";
  try {
    for (let directory = ROOT; directory !== path.dirname(directory); directory = path.dirname(directory))
      accessSync(directory, constants.R_OK);
  } catch {
    return "the repository is hidden from other users";
  }
  return undefined;
}

interface Way {
  readonly name: string;
  readonly flags: readonly string[];
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly skip?: string | undefined;
  readonly sandbox: RegExp;
}

const WAYS: readonly Way[] = [
  { name: "an unprivileged user", flags: [], user: NOBODY, skip: noOtherUser(), sandbox: /^(namespaces|bare)$/ },
  { name: "--sandbox bare", flags: ["--sandbox=bare"], sandbox: /^bare$/ },
];

describe.each(WAYS)("$name", ({ name, flags, user, skip, sandbox }) => {
  describe.skipIf(skip !== undefined)(`runs the pattern${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
    let dataDir = "";
    let pattern: PatternUnderTest;
    let options: CommandOptions;

    beforeAll(async () => {
      dataDir = await scratchDirectory();
      if (user !== undefined) await chown(dataDir, user.uid, user.gid);
      options = { dataDir, cwd: dataDir, ...(user === undefined ? {} : { user, env: { HOME: dataDir } }) };
      await bringUp(["--timeout=80s", ...flags], options);
      pattern = patternIn(dataDir, options);
    });
    afterAll(async () => {
      pattern?.close();
      await command(["down"], options);
      await rm(dataDir, { recursive: true, force: true });
    });

    test("every Application is healthy, and status names the sandbox", async () => {
      const report = await pattern.settled();
      expect(report.sandbox).toMatch(sandbox);
      expect(report.applications).toHaveLength(4);
    });

    test("the portals are served through the Route", async () => {
      const control = (await pattern.status()).urls.find((each) => each.name === "control")?.url ?? "";
      await until("every portal has sold something", async () => {
        const all = await portals(control);
        return all.every((each) => !each.status.error && (each.status.cities ?? []).length > 0);
      });
    });

    test("exec, logs and names work", async () => {
      const agency = "-n=travel-agency";
      expect(await pattern.kubectl(agency, "exec", "deploy/cars-v1", "--", "printenv", "CURRENT_SERVICE")).toBe(
        "cars\n",
      );
      await pattern.kubectl(agency, "logs", "deploy/cars-v1");
      const script = `fetch("http://discounts:8000/discounts/new").then(r => r.text()).then(t => console.log(t))`;
      const answer = await pattern.kubectl(agency, "exec", "deploy/cars-v1", "--", "node", "-e", script);
      expect(JSON.parse(answer)).toEqual({ user: "new", discount: 0.25 });
    });

    test("a push is live", async () => {
      const clone = await pattern.clone();
      const file = "charts/all/travel-agency/values.yaml";
      const text = (await clone.read(file)).replace("cars: {}", "cars:\n    replicas: 2");
      await pattern.settled(await clone.push("Two of cars", { [file]: text }));
      await clone.remove();
      expect((await pattern.client.list(NODES)).items).toHaveLength(2);
    });

    test("down leaves nothing", async () => {
      expect((await command(["down"], options)).code, name).toBe(0);
      await until("nothing is left", () => !liveProcesses().some((one) => one.command.includes(dataDir)));
      expect((await command(["status"], options)).code).toBe(3);
    });
  });
});
