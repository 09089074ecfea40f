/** For crash.test.ts: writes without end and prints each acknowledged write, until it is killed. */
import { writeSync } from "node:fs";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import { openStore } from "./open-store.ts";
import { configMap, put, remove } from "./store-fixture.ts";

const WRITERS = 16;
const [dir = "", run = ""] = process.argv.slice(2);
const store = await openStore({
  dir,
  clock: systemClock,
  log: silentLogger,
  retention: { ms: 3_600_000, revisions: 200 },
});
const acknowledge = (line: string): void => void writeSync(1, `${line}\n`);

async function writer(id: number): Promise<never> {
  const table = id % 4 === 0 ? "secrets." : "configmaps.";
  for (let n = 0; ; n++) {
    const value = `${run}-${n}`;
    const stored = await put(store, table, configMap(`w${id}`, "counter", value));
    acknowledge(`put ${table} w${id} counter ${value} ${stored?.revision}`);
    await put(store, table, configMap(`w${id}`, `kept-${run}-${n % 50}`, value));
    acknowledge(`put ${table} w${id} kept-${run}-${n % 50} ${value} ${store.revision}`);
    if (n % 5 !== 0) continue;
    await remove(store, table, `w${id}`, "counter");
    acknowledge(`gone ${table} w${id} counter - ${store.revision}`);
  }
}

acknowledge("ready");
await Promise.all(Array.from({ length: WRITERS }, (_, id) => writer(id)));
