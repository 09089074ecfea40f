import { expect, it } from "vitest";
import { meets } from "./figure.ts";
import { median, percentile, spread } from "./statistics.ts";
import { renderTable } from "./table.ts";

it("finds the middle and the tail", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])]).toEqual([2, 2.5, 7]);
  const values = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile([5], 0.99)]).toEqual([50, 99, 5]);
  expect(spread([3, 9, 6])).toEqual({ median: 6, min: 3, max: 9, runs: 3 });
});

it("shows what was missed, and the peer only where it was measured", () => {
  const rate = {
    id: "creates",
    what: "creates",
    unit: "a second",
    budget: { limit: 3000, better: "higher" },
    subject: "travelops",
    value: spread([2000, 4000, 2500]),
  } as const;
  expect(meets(rate)).toBe(false);
  expect(meets({ ...rate, budget: { limit: 3000, better: "lower" } })).toBe(true);
  expect(renderTable([rate])).toMatch(/creates\s+≥ 3,000 a second\s+2,500 a second\s+2,000–4,000, 3 runs\s+MISSED$/);
  expect(renderTable([rate])).not.toContain("kube-apiserver");
  const peer = { ...rate, subject: "kube-apiserver", value: spread([1000]) } as const;
  expect(renderTable([rate, peer])).toMatch(/1,000 \(once\)\s+2\.5 ×$/);
});
