import { readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { fakeClock } from "@travelops/kube/api/clock";
import { Compacted } from "./store.ts";
import type { Store, StoreEvent } from "./store.ts";
import { keyOf, put, remove, storeFixture } from "./store-fixture.ts";
import type { StoreFixture } from "./store-fixture.ts";
import { createCipher } from "./value-cipher.ts";

const TABLE = "secrets.";
let fixture: StoreFixture;
beforeEach(() => {
  fixture = storeFixture();
});
afterEach(() => fixture.dispose());

const secret = (name: string, value: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  type: "Opaque",
  metadata: {
    namespace: "a",
    name,
    labels: { app: "x" },
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": `{"password":"${value}"}` },
  },
  data: { password: value },
});

const filesHold = (text: string): string[] =>
  readdirSync(fixture.dir).filter((file) => readFileSync(join(fixture.dir, file)).includes(text));
const rows = (): { revision: number; value: Uint8Array }[] => {
  const db = new DatabaseSync(join(fixture.dir, "store.db"), { readOnly: true });
  const all = db.prepare("SELECT revision, value FROM log ORDER BY revision").all();
  db.close();
  return all as never;
};
const replay = (store: Store, from: number): string[] => {
  const seen: string[] = [];
  store.watch(TABLE, from, (event: StoreEvent) =>
    seen.push(
      `${event.type} ${event.object.key.name}@${event.revision} was ${event.previous?.revision ?? "-"} ${JSON.stringify(event.object.object["data"] ?? null)}`,
    ),
  );
  return seen;
};

describe("Secrets at rest", () => {
  it("are nowhere in clear, and readable after a restart", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "hunter2-hunter2"));
    expect(filesHold("hunter2")).toEqual([]);
    await store.close();
    expect(filesHold("hunter2")).toEqual([]);
    const again = await fixture.open();
    expect(again.get(keyOf(TABLE, "a", "s"))?.object["data"]).toEqual({ password: "hunter2-hunter2" });
  });

  it("lie in files that only their owner may read", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "1"));
    await store.close();
    expect(statSync(fixture.dir).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(fixture.dir))
      expect([file, statSync(join(fixture.dir, file)).mode & 0o777]).toEqual([file, 0o600]);
  });

  it("need the key they were written with", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "1"));
    await store.close();
    const keyFile = join(fixture.dir, "secrets.key");
    renameSync(keyFile, `${keyFile}.away`);
    await expect(fixture.open()).rejects.toThrow(/encryption key .*secrets\.key is missing/);
    const other = { version: 1, primary: 1, keys: { 1: Buffer.alloc(32, 7).toString("base64") } };
    writeFileSync(keyFile, JSON.stringify(other));
    await expect(fixture.open()).rejects.toThrow(/is not the one this store was written with/);
    writeFileSync(keyFile, "garbage");
    await expect(fixture.open()).rejects.toThrow(/is not readable as a key file/);
    rmSync(keyFile);
    renameSync(`${keyFile}.away`, keyFile);
    await expect(fixture.open()).resolves.toBeDefined();
  });

  it("are read with an older key after the primary one was changed", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "1"));
    await store.close();
    const keyFile = join(fixture.dir, "secrets.key");
    const content = JSON.parse(readFileSync(keyFile, "utf8")) as {
      primary: number;
      keys: Record<string, string>;
    };
    writeFileSync(
      keyFile,
      JSON.stringify({
        ...content,
        primary: 2,
        keys: { ...content.keys, 2: Buffer.alloc(32, 9).toString("base64") },
      }),
    );
    const again = await fixture.open();
    await put(again, TABLE, secret("t", "2"));
    await again.close();
    expect(rows().map((row) => Buffer.from(row.value).readUInt32BE(1))).toEqual([1, 2]);
    expect((await fixture.open()).list(TABLE).items.map((item) => item.object["data"])).toEqual([
      { password: "1" },
      { password: "2" },
    ]);
  });

  it("cannot be moved to another place", () => {
    const cipher = createCipher(1, new Map([[1, Buffer.alloc(32, 1)]]));
    const value = cipher.encrypt(Buffer.from("x"), "here");
    expect(cipher.decrypt(value, "here").toString()).toBe("x");
    expect(() => cipher.decrypt(value, "there")).toThrow(/authenticat/);
  });
});

describe("superseded Secrets", () => {
  it("leave the history at once, annotations included", async () => {
    const clock = fakeClock();
    const store = await fixture.open({ clock });
    await put(store, TABLE, secret("s", "first-value"));
    await put(store, TABLE, secret("s", "second-value"));
    await put(store, TABLE, secret("t", "third-value"));
    await remove(store, TABLE, "a", "t");
    clock.advance(1_000); // the write-ahead log is emptied
    expect(statSync(join(fixture.dir, "store.db-wal")).size).toBe(0);
    await store.close();
    const { keys } = JSON.parse(readFileSync(join(fixture.dir, "secrets.key"), "utf8")) as {
      keys: Record<string, string>;
    };
    const cipher = createCipher(1, new Map([[1, Buffer.from(keys["1"] ?? "", "base64")]]));
    const names = ["s", "s", "t", "t"];
    const texts = rows().map((row, n) =>
      cipher.decrypt(row.value, JSON.stringify([TABLE, "a", names[n], row.revision])).toString(),
    );
    expect(texts.map((text) => text.match(/\w+-value/)?.[0])).toEqual([
      undefined,
      "second-value",
      undefined,
      undefined,
    ]);
    expect(texts.every((text) => text.includes('"labels":{"app":"x"}'))).toBe(true);
  });

  it("are skipped by a watch that starts before them", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "1"));
    await put(store, TABLE, secret("s", "2"));
    await put(store, TABLE, secret("s", "3"));
    await put(store, TABLE, secret("gone", "1"));
    await remove(store, TABLE, "a", "gone");
    expect(replay(store, 0)).toEqual(['create s@3 was - {"password":"3"}']);
    expect(replay(store, 1)).toEqual(['update s@3 was 1 {"password":"3"}']);
    expect(replay(store, 4)).toEqual(["delete gone@5 was 4 null"]);
  });

  it("cannot be listed as they were", async () => {
    const store = await fixture.open();
    await put(store, TABLE, secret("s", "1"));
    await put(store, TABLE, secret("t", "1"));
    expect(store.list(TABLE, { revision: 1 }).items).toHaveLength(1);
    await put(store, TABLE, secret("s", "2"));
    expect(() => store.list(TABLE, { revision: 1 })).toThrow(Compacted);
  });
});
