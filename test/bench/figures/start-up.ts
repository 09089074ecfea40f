/** From starting the process to the first answer of /readyz over TLS, on an empty data directory. */
import { mkdtempSync } from "node:fs";
import path from "node:path";
import type { ApiFigure } from "../figure.ts";
import { spread } from "../statistics.ts";

export const startUp: ApiFigure = {
  kind: "api",
  id: "start",
  async measure(subject, { quick, directory }) {
    const times: number[] = [];
    // The first start fills the file cache and the compile cache: users pay it once, so it is not counted.
    for (let run = 0; run <= (quick ? 3 : 9); run++) {
      const running = await subject.start(mkdtempSync(path.join(directory, "start-")));
      if (run > 0) times.push(running.readyMs);
      await running.close();
    }
    return [
      {
        id: "start",
        what: "cluster process start → API ready, empty",
        unit: "ms",
        budget: { limit: 400, better: "lower" },
        value: spread(times),
      },
    ];
  },
};
