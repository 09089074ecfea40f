import { afterAll, beforeAll, expect, test } from "vitest";
import type { Clock } from "@travelops/kube";
import { CRON_JOBS, fakeClock, isTrue, JOBS } from "@travelops/kube";
import { eventually } from "../../test/api-under-test.ts";
import { type Harness, startHarness } from "./testing/harness.ts";

const time = fakeClock(Date.now());
let early: number | undefined;
/** Timers of real machines may fire a millisecond early: the first look then says "not yet", the next "past". */
const clock: Clock = {
  now() {
    const shown = early ?? time.now();
    early = undefined;
    return shown;
  },
  setTimeout: (fn, ms) =>
    time.setTimeout(() => {
      early = time.now() - 1;
      fn();
    }, ms),
};

let harness: Harness;
beforeAll(async () => {
  const only = ["serviceaccount-controller", "job-controller", "cronjob-controller"];
  harness = await startHarness({ only, clock, kubelet: { bindTo: "n1" } });
}, 90_000);
afterAll(() => harness.close());

const template = { spec: { restartPolicy: "Never" as const, containers: [{ name: "main", image: "x" }] } };
/** As `eventually`, while back-offs of retries pass, but no deadline. */
const inTime = <T>(probe: () => Promise<T | undefined | false>): Promise<T> =>
  eventually(() => {
    if ((time.nextIn() ?? Infinity) < 5000) time.advance(10);
    return probe();
  });
/** Resolves when the controllers have set themselves a time to look again. */
const waiting = (): Promise<boolean> => eventually(() => time.pending > 0);

test("a Job's deadline is not missed when its timer fires early", async () => {
  const namespace = await harness.namespace();
  await inTime(() =>
    harness.client.create(JOBS, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "j", namespace },
      spec: { activeDeadlineSeconds: 60, template },
    }),
  );
  await inTime(async () => (await harness.client.get(JOBS, namespace, "j")).status?.ready === 1);
  await waiting();
  // Just to the deadline; what remains is less than the API can write of a time.
  time.advance(time.nextIn() ?? 0);
  const done = await eventually(async () => {
    if (time.pending > 0) time.advance(Math.min(time.nextIn() ?? 0, 2));
    return isTrue((await harness.client.get(JOBS, namespace, "j")).status?.conditions, "Failed");
  }, 3000).catch(() => false);
  expect(done).toBe(true);
});

test("a CronJob's time is not skipped when its timer fires early", async () => {
  const namespace = await harness.namespace();
  const created = await inTime(() =>
    harness.client.create(CRON_JOBS, {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "c", namespace },
      spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: { template } } },
    }),
  );
  expect(created.metadata.uid).toBeTruthy();
  await waiting();
  time.advance(time.nextIn() ?? 0);
  const jobs = await eventually(async () => {
    if (time.pending > 0) time.advance(Math.min(time.nextIn() ?? 0, 2));
    return (await harness.client.list(JOBS, { namespace })).items.length === 1;
  }, 3000).catch(() => false);
  expect(jobs).toBe(true);
});
