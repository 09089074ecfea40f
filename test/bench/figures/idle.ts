/** Memory and CPU of the control plane with nothing to do. */
import type { ApiFigure } from "../figure.ts";
import { cpuSeconds, proportionalMb, residentMb } from "../process-usage.ts";
import { spread } from "../statistics.ts";

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const idle: ApiFigure = {
  kind: "api",
  id: "idle",
  async measure(subject, { quick, directory }) {
    const { pids, close } = await subject.start(directory);
    try {
      await wait(quick ? 5_000 : 15_000);
      const shares: number[] = [];
      const slice = quick ? 3_000 : 10_000;
      for (let run = 0; run < 3; run++) {
        const before = sum(pids.map(cpuSeconds));
        await wait(slice);
        shares.push(((sum(pids.map(cpuSeconds)) - before) / slice) * 100_000);
      }
      return [
        {
          id: "idle-rss",
          what: "control plane, idle: memory (RSS)",
          unit: "MB",
          budget: { limit: 120, better: "lower" },
          value: spread([sum(pids.map(residentMb))]),
        },
        {
          id: "idle-pss",
          what: "control plane, idle: memory of its own (PSS)",
          unit: "MB",
          value: spread([sum(pids.map(proportionalMb))]),
        },
        {
          id: "idle-cpu",
          what: "control plane, idle: CPU",
          unit: "% of a core",
          budget: { limit: 1, better: "lower" },
          value: spread(shares),
        },
      ];
    } finally {
      await close();
    }
  },
};
