import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { fakeClock, systemClock } from "@travelops/kube/api/clock.ts";
import { chooseSandbox } from "../sandbox/probe.ts";
import { startLab, type Lab } from "../testing/lab.ts";
import { podUsage } from "./pod-usage.ts";
import { SAMPLE_EVERY_MS, UsageSampler } from "./usage-sampler.ts";
import { usageRate } from "./usage-rate.ts";

test("a rate is what was used between two looks, and never negative", () => {
  const sample = { key: "c", at: 3000, cpuMs: 700, memoryBytes: 5 };
  expect(usageRate({ ...sample, at: 1000, cpuMs: 200 }, sample, 0)).toEqual({
    at: 3000,
    windowMs: 2000,
    cpuNanoCores: 250_000_000,
    memoryBytes: 5,
  });
  expect(usageRate(undefined, sample, 2000)).toMatchObject({ windowMs: 1000, cpuNanoCores: 700_000_000 });
  const look = fc.record({ at: fc.nat(1e6), cpuMs: fc.nat(1e6) });
  fc.assert(
    fc.property(look, look, (a, b) => {
      const rate = usageRate({ ...sample, ...a }, { ...sample, ...b }, 0);
      expect(rate.cpuNanoCores).toBeGreaterThanOrEqual(0);
      expect(rate.windowMs).toBeGreaterThan(0);
    }),
  );
});

test("looks only while somebody asks, and many at once look once", async () => {
  const clock = fakeClock(0);
  let looks = 0;
  const sampler = new UsageSampler(() => Promise.resolve([{ key: "c", at: 0, cpuMs: looks++, memoryBytes: 0 }]), clock);
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const asked = Promise.all([sampler.latest(), sampler.latest()]);
  await pass(0);
  await pass(1000);
  const [one, other] = await asked;
  expect(one).toBe(other);
  expect(looks).toBe(2);
  await pass(SAMPLE_EVERY_MS);
  expect(looks).toBe(3);
  expect((await sampler.latest()).after.get("c")?.cpuMs).toBe(2);
  for (let i = 0; i < 20; i++) await pass(SAMPLE_EVERY_MS);
  const rested = looks;
  await pass(10 * SAMPLE_EVERY_MS);
  expect(looks).toBe(rested);
  expect(looks).toBeLessThan(10);
  sampler.close();
});

const probed = await chooseSandbox("auto");
for (const kind of ["namespaces", "bare"] as const) {
  describe.skipIf(kind === "namespaces" && probed.kind === "bare")(`usage in the ${kind} sandbox`, () => {
    let lab: Lab | undefined;
    afterAll(() => lab?.close());

    test("what a container's processes use is told, also that of its children", async () => {
      lab = await startLab(kind);
      const main = (name: string, script: string) => ({ name, image: "busybox", command: ["sh", "-c", script] });
      await lab.run("busy", {
        containers: [main("spins", "(while :; do :; done) & wait"), main("idles", "while :; do sleep 60; done")],
      });
      await lab.until("busy", (pod) => pod.status?.phase === "Running");
      const { sandbox, kubelet } = lab;
      const sampler = new UsageSampler(() => sandbox.usage(), systemClock);
      const [pod] = podUsage([kubelet], await sampler.latest());
      sampler.close();
      expect(pod).toMatchObject({ namespace: "default", name: "busy" });
      const of = (name: string) => pod?.containers.find((one) => one.name === name);
      // How much it gets depends on the machine; that it is far more than nothing does not.
      expect(of("spins")?.cpuNanoCores).toBeGreaterThan(50e6);
      expect(of("idles")?.cpuNanoCores).toBeLessThan(50e6);
      for (const name of ["spins", "idles"]) {
        expect(of(name)?.memoryBytes).toBeGreaterThan(100_000);
        expect(of(name)?.memoryBytes).toBeLessThan(100e6);
      }
    }, 60_000);
  });
}
