import { execFile } from "node:child_process";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "@travelops/kube/api/logger";
import { StoreUnavailable } from "./store.ts";
import { ACTOR, configMap, keyOf, put, remove, storeFixture } from "./store-fixture.ts";
import type { StoreFixture } from "./store-fixture.ts";

const TABLE = "configmaps.";
let fixture: StoreFixture;
beforeEach(() => {
  fixture = storeFixture();
});
afterEach(() => fixture.dispose());

const file = (name: string): string => join(fixture.dir, name);

describe("a full disk", () => {
  it("undoes the whole batch, keeps reads going, and is over once there is room", async () => {
    const lines: string[] = [];
    const store = await fixture.open({
      maxBytes: 400_000,
      log: createLogger({ write: (line) => lines.push(line) }),
    });
    await put(store, TABLE, configMap("a", "small", "1"));
    const events: number[] = [];
    store.watch(TABLE, 1, (event) => events.push(event.revision));

    const small = put(store, TABLE, configMap("a", "small", "2"));
    const big = put(store, TABLE, configMap("a", "big", "x".repeat(500_000)));
    const exists = store.write(keyOf(TABLE, "a", "big"), ACTOR, (current) => {
      throw new Error(current === undefined ? "was not there" : "already exists");
    });
    for (const write of [small, big, exists]) {
      const error = await write.catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect((error as Error).message).toMatch(/cannot write \(its disk is full\): nothing was changed; make room/);
    }
    expect(store.revision).toBe(1);
    expect(events).toEqual([]);
    expect(store.get(keyOf(TABLE, "a", "small"))?.object["data"]).toEqual({ value: "1" });
    expect(store.list(TABLE).items).toHaveLength(1);
    expect(lines.filter((line) => line.includes("cannot write"))).toHaveLength(1);

    expect((await put(store, TABLE, configMap("a", "small", "3")))?.revision).toBe(2);
    expect(events).toEqual([2]);
    await store.close();
    const again = await fixture.open();
    expect(again.get(keyOf(TABLE, "a", "small"))?.object["data"]).toEqual({ value: "3" });
    expect(again.revision).toBe(2);
  });
});

describe("opening", () => {
  it("loses nothing to a torn tail of the write-ahead log", async () => {
    const store = await fixture.open();
    for (let n = 0; n < 20; n++) await put(store, TABLE, configMap("a", `n${n}`, "x".repeat(3_000)));
    const wal = readFileSync(file("store.db-wal"));
    const db = readFileSync(file("store.db"));
    await store.close();
    for (const torn of [
      wal.subarray(0, wal.length - 1_000),
      Buffer.concat([wal, wal.subarray(0, 5_000)]),
      Buffer.concat([wal, Buffer.alloc(9_000, 0xff)]),
    ]) {
      const copy = storeFixture();
      mkdirSync(copy.dir, { recursive: true });
      copyFileSync(file("secrets.key"), join(copy.dir, "secrets.key"));
      writeFileSync(join(copy.dir, "store.db"), db);
      writeFileSync(join(copy.dir, "store.db-wal"), torn);
      const again = await copy.open();
      // Only the first copy lacks bytes of the last commit, as if the machine had stopped before acknowledging it.
      expect(again.count(TABLE)).toBeGreaterThanOrEqual(19);
      expect(again.revision).toBe(again.count(TABLE));
      await copy.dispose();
    }
  });

  it("says in one sentence that a file is damaged", async () => {
    const store = await fixture.open();
    for (let n = 0; n < 50; n++) await put(store, TABLE, configMap("a", `n${n}`, "x".repeat(3_000)));
    await store.close();
    const size = statSync(file("store.db")).size;
    const whole = readFileSync(file("store.db"));
    truncateSync(file("store.db"), Math.floor(size / 2));
    await expect(fixture.open()).rejects.toThrow(/store\.db is damaged and cannot be read: restore it/);
    writeFileSync(file("store.db"), Buffer.concat([Buffer.from("not sqlite at all"), whole.subarray(17)]));
    await expect(fixture.open()).rejects.toThrow(/store\.db is damaged/);
    writeFileSync(file("store.db"), Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(size - 8192, 0x5a)]));
    await expect(fixture.open()).rejects.toThrow(/store\.db is damaged/);
    // An empty file is SQLite's empty database.
    truncateSync(file("store.db"), 0);
    await expect(fixture.open()).rejects.toThrow(/store\.db is empty or was removed, .* restore it from a copy/);
    await expect(fixture.open()).rejects.toThrow(/store\.db is empty or was removed/);
    writeFileSync(file("store.db"), whole);
    expect((await fixture.open()).count(TABLE)).toBe(50);
  });

  it("refuses what another program or a later version wrote", async () => {
    mkdirSync(fixture.dir, { recursive: true });
    const db = new DatabaseSync(file("store.db"));
    db.exec("CREATE TABLE t (x)");
    db.close();
    await expect(fixture.open()).rejects.toThrow(/is not a TravelOps store/);
    const other = storeFixture();
    await (await other.open()).close();
    const later = new DatabaseSync(join(other.dir, "store.db"));
    later.exec("PRAGMA user_version = 9");
    later.close();
    await expect(other.open()).rejects.toThrow(/has format 9, this version reads format 1/);
    await other.dispose();
  });

  it("refuses a directory that is in use, by this process or another", async () => {
    await fixture.open();
    await expect(fixture.open()).rejects.toThrow(/is in use by another process: stop that one first/);
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, "open-store.ts"))};
      import { systemClock } from "@travelops/kube/api/clock";
      import { silentLogger } from "@travelops/kube/api/logger";
      await openStore({ dir: process.argv[1], clock: systemClock, log: silentLogger }).then(() => console.log("opened"), (e) => console.log(e.code));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module-typescript", "-e", script, fixture.dir],
      { cwd: import.meta.dirname },
    );
    expect(stdout.trim()).toBe("locked");
  });

  it("says why a path cannot be a data directory", async () => {
    const blocked = storeFixture();
    appendFileSync(blocked.dir, "a file");
    await expect(blocked.open()).rejects.toThrow(/cannot open .*store\.db .*: check that .* can be written/);
    await blocked.dispose();
  });
});

describe("the disk", () => {
  it("stays bounded while objects come and go", async () => {
    const store = await fixture.open({ retention: { ms: 3_600_000, revisions: 50 } });
    const value = "x".repeat(20_000);
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => put(store, TABLE, configMap("a", `n${n}`, value))));
    }
    await Promise.all(Array.from({ length: 50 }, (_, n) => remove(store, TABLE, "a", `n${n}`)));
    await put(store, TABLE, configMap("a", "last", ""));
    // 20 MB were written; what stays is the window and what compaction has not yet reached.
    await expect.poll(() => store.revision - store.compactedRevision, { timeout: 10_000 }).toBeLessThanOrEqual(60);
    await store.close();
    expect(statSync(file("store.db")).size).toBeLessThan(5_000_000);
  });
});
