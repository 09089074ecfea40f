import { describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "@travelops/kube";
import type { DataplaneSettings, PolicyConfig, ToDataplane } from "../config.ts";
import { eventually } from "../testing/network-lab.ts";
import { DataplaneLink } from "./dataplane-link.ts";

const DENY: PolicyConfig = { pods: ["10.128.0.5"], ingress: [] };

/** A host whose daemons answer at once and end when told to. */
function fakeHost() {
  const starts: Extract<ToDataplane, { type: "start" }>[] = [];
  const ends: ((code: number) => void)[] = [];
  const link = new DataplaneLink({
    host: {
      sandbox: "namespaces",
      listen: () => Promise.reject(new Error("nobody listens here")),
      runDaemon() {
        const exited = Promise.withResolvers<number | string>();
        const listeners: ((message: unknown) => void)[] = [];
        ends.push((code) => exited.resolve(code));
        return Promise.resolve({
          send(message: unknown) {
            if ((message as ToDataplane).type !== "start") return;
            starts.push(message as (typeof starts)[number]);
            setImmediate(() => listeners.forEach((listener) => listener({ type: "ready" })));
          },
          onMessage: (listener: (message: unknown) => void) => void listeners.push(listener),
          exited: exited.promise,
          kill: () => exited.resolve("SIGKILL"),
        });
      },
    },
    settings: {} as DataplaneSettings,
    clock: { ...systemClock, setTimeout: (run) => systemClock.setTimeout(run, 0) },
    log: silentLogger,
    forward: () => Promise.resolve(undefined),
    sibling: () => Promise.resolve(undefined),
    onPolicies: () => {},
    onRestart: () => {},
  });
  const again = (count: number) =>
    eventually(
      () => Promise.resolve(starts.length),
      (seen) => seen === count,
    );
  return { link, starts, again, end: () => ends.at(-1)?.(1) };
}

describe("a dataplane that starts again", () => {
  it("is told of rules that may stand where there was a policy, though none is left", async () => {
    const { link, starts, again, end } = fakeHost();
    await link.start();
    link.set("policies", "shop/deny", DENY);
    link.flush();
    end();
    link.set("policies", "shop/deny", null);
    link.flush();
    await again(2);
    expect(starts.map((s) => [s.rulesMayStand, Object.keys(s.snapshot.policies ?? {})])).toEqual([
      [false, []],
      [true, []],
    ]);
    link.close();
  });

  it("has nothing to clear where no policy ever was", async () => {
    const { link, starts, again, end } = fakeHost();
    await link.start();
    end();
    await again(2);
    expect(starts[1]?.rulesMayStand).toBe(false);
    link.close();
  });
});
