import fc from "fast-check";
import { expect, test } from "vitest";
import type { Job, Pod } from "@travelops/kube";
import { missedTimes, parseSchedule } from "../cron-job/schedule.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";
import { tally, TRACKING } from "./tally.ts";

test("indexes are written as ranges and read back", () => {
  expect(formatIndexes([5, 0, 1, 2, 8, 9])).toBe("0-2,5,8,9");
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50)), (indexes) => {
      expect([...parseIndexes(formatIndexes(indexes))]).toEqual(indexes.toSorted((a, b) => a - b));
    }),
  );
});

test("every pod counts once, wherever the process dies between the steps", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 30 }),
      fc.array(fc.constantFrom("status", "release", "forget")),
      (outcomes, steps) => {
        let job: Job = {
          apiVersion: "batch/v1",
          kind: "Job",
          metadata: { name: "j" },
          spec: { template: { spec: { containers: [] } } },
        };
        let pods: Pod[] = outcomes.map((ok, i) => ({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: `p${i}`, uid: `u${i}`, finalizers: [TRACKING] },
          spec: { containers: [] },
          status: { phase: ok ? "Succeeded" : "Failed" },
        }));
        for (const step of [...steps, "status", "release", "forget", "status"]) {
          const { uncounted, succeeded, failed } = tally(job, pods, false);
          if (step === "status")
            job = {
              ...job,
              status: {
                succeeded,
                failed,
                uncountedTerminatedPods: {
                  succeeded: [...uncounted.succeeded],
                  failed: [...uncounted.failed],
                },
              },
            };
          const listed = new Set([
            ...(job.status?.uncountedTerminatedPods?.succeeded ?? []),
            ...(job.status?.uncountedTerminatedPods?.failed ?? []),
          ]);
          if (step === "release")
            pods = pods.map((pod) =>
              listed.has(pod.metadata.uid ?? "") ? { ...pod, metadata: { ...pod.metadata, finalizers: [] } } : pod,
            );
          if (step === "forget") pods = pods.filter((pod) => pod.metadata.finalizers?.length !== 0);
        }
        expect(job.status).toMatchObject({
          succeeded: outcomes.filter(Boolean).length,
          failed: outcomes.filter((ok) => !ok).length,
        });
      },
    ),
  );
});

const at = (text: string): number => Date.parse(text);
test.each([
  ["*/5 * * * *", "UTC", "2026-01-01T00:02:30Z", "2026-01-01T00:05:00Z"],
  ["0 0 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
  ["30 4 1,15 * fri", "UTC", "2026-01-03T00:00:00Z", "2026-01-09T04:30:00Z"],
  ["0 12 * * mon-fri", "UTC", "2026-01-02T13:00:00Z", "2026-01-05T12:00:00Z"],
  ["0 0 29 feb *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ["0 9 * * *", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T13:00:00Z"],
  ["@hourly", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z"],
  ["0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"],
])("%s in %s after %s is %s", (schedule, zone, from, next) => {
  expect(parseSchedule(schedule, zone).next(at(from))).toBe(at(next));
});

test.each(["* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"])("%s is refused", (text) => {
  expect(() => parseSchedule(text)).toThrow(/is no schedule/);
});

test("missed times: the latest, and how many", () => {
  const hourly = parseSchedule("0 * * * *");
  expect(missedTimes(hourly, at("2026-01-01T00:00:00Z"), at("2026-01-01T03:30:00Z"))).toEqual({
    last: at("2026-01-01T03:00:00Z"),
    count: 3,
  });
  expect(missedTimes(parseSchedule("* * * * *"), at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:30Z")).last).toBe(
    at("2026-01-01T00:00:00Z"),
  );
});
