import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Store } from "./store.ts";
import { keyOf, storeFixture } from "./store-fixture.ts";
import type { StoreFixture } from "./store-fixture.ts";

const KILLS = 20;
let fixture: StoreFixture;
beforeEach(() => {
  fixture = storeFixture();
});
afterEach(() => fixture.dispose());

/** What was acknowledged last about each object: its value, or that it is gone. */
type Acknowledged = Map<string, { readonly value: string | undefined; readonly n: number }>;

/** Runs a writer, kills it after some acknowledged writes, and notes what it had acknowledged. */
async function killedRun(run: number, acknowledged: Acknowledged): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "crash-writer.ts"), fixture.dir, String(run)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const killAfter = 20 + ((run * 7_919) % 900);
  let text = "";
  let lines = 0;
  let last = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      last = Math.max(last, note(text.slice(0, end), acknowledged));
      text = text.slice(end + 1);
      if (++lines === killAfter) child.kill("SIGKILL");
    }
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  return last;
}

function note(line: string, acknowledged: Acknowledged): number {
  const [what, table = "", namespace = "", name = "", value = "", revision = "0"] = line.split(" ");
  if (what === "ready") return 0;
  acknowledged.set(`${table} ${namespace} ${name}`, {
    value: what === "gone" ? undefined : value,
    n: Number(value.split("-")[1]),
  });
  return Number(revision);
}

/** Each writer writes one after the other, so that at most one write beyond the last acknowledged one may show. */
function lost(store: Store, acknowledged: Acknowledged): string[] {
  const missing: string[] = [];
  for (const [id, { value, n }] of acknowledged) {
    const [table = "", namespace = "", name = ""] = id.split(" ");
    const data = store.get(keyOf(table, namespace, name))?.object["data"] as { value: string } | undefined;
    if (data?.value === value) continue;
    const later = data === undefined ? name === "counter" : value === undefined || Number(data.value.split("-")[1]) > n;
    if (!later) missing.push(`${id}: acknowledged ${value}, found ${data?.value}`);
  }
  return missing;
}

it(`loses no acknowledged write to ${KILLS} kills at any moment`, { timeout: 120_000 }, async () => {
  const acknowledged: Acknowledged = new Map();
  for (let run = 1; run <= KILLS; run++) {
    const last = await killedRun(run, acknowledged);
    const store = await fixture.open();
    expect(lost(store, acknowledged)).toEqual([]);
    expect(store.revision).toBeGreaterThanOrEqual(last);
    // A counter may have been deleted, or written again, by the one write that was under way.
    for (const id of [...acknowledged.keys()].filter((key) => key.endsWith(" counter"))) acknowledged.delete(id);
    await store.close();
  }
  expect(acknowledged.size).toBeGreaterThan(KILLS);
});
