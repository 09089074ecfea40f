import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fakeClock } from "@travelops/kube/api/clock";
import { Compacted, StoreUnavailable } from "./store.ts";
import type { Store, StoreEvent } from "./store.ts";
import { ACTOR, configMap, keyOf, put, remove, storeFixture } from "./store-fixture.ts";
import type { StoreFixture } from "./store-fixture.ts";

const TABLE = "configmaps.";
let fixture: StoreFixture;
beforeEach(() => {
  fixture = storeFixture();
});
afterEach(() => fixture.dispose());

const names = (store: Store, range = {}): string[] =>
  store.list(TABLE, range).items.map((item) => `${item.key.namespace}/${item.key.name}`);
const show = (event: StoreEvent): string =>
  `${event.type} ${event.object.key.name}@${event.revision} was ${event.previous?.revision ?? "-"}`;

async function fill(store: Store, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => put(store, TABLE, configMap("a", `n${n}`, String(n)))));
}

describe("writes", () => {
  it("gives each write the next revision and stamps it on the object", async () => {
    const store = await fixture.open();
    const first = await put(store, TABLE, configMap("a", "x", "1"));
    const second = await put(store, TABLE, configMap("a", "x", "2"));
    expect([first?.revision, second?.revision, store.revision]).toEqual([1, 2, 2]);
    expect(second?.object.metadata.resourceVersion).toBe("2");
    expect(JSON.parse(String(second?.bytes))).toEqual(second?.object);
  });

  it("shows staged writes to writers, and committed ones alone to readers", async () => {
    const store = await fixture.open();
    const first = put(store, TABLE, configMap("a", "x", "1"));
    const seen: unknown[] = [];
    const second = store.write(keyOf(TABLE, "a", "x"), ACTOR, (current) => {
      seen.push(current?.object["data"]);
      return { op: "put", object: configMap("a", "x", "2") };
    });
    expect(seen).toEqual([{ value: "1" }]);
    expect(store.get(keyOf(TABLE, "a", "x"))).toBeUndefined();
    expect(store.revision).toBe(0);
    await Promise.all([first, second]);
    expect(store.get(keyOf(TABLE, "a", "x"))?.object["data"]).toEqual({ value: "2" });
  });

  it("lists staged writes for those who must count them", async () => {
    const store = await fixture.open();
    await fill(store, 3);
    const staged = (): string[] =>
      store
        .listStaged(TABLE, "a")
        .map((item) => item.key.name)
        .toSorted();
    const writes = [
      put(store, TABLE, configMap("a", "new", "")),
      remove(store, TABLE, "a", "n1"),
      put(store, TABLE, configMap("b", "n1", "")),
    ];
    expect(staged()).toEqual(["n0", "n2", "new"]);
    expect(names(store)).toEqual(["a/n0", "a/n1", "a/n2"]);
    await Promise.all(writes);
    expect(staged()).toEqual(["n0", "n2", "new"]);
  });

  it("spends no revision on a change that throws or changes nothing", async () => {
    const store = await fixture.open();
    await put(store, TABLE, configMap("a", "x", "1"));
    const refused = store.write(keyOf(TABLE, "a", "x"), ACTOR, () => {
      throw new Error("refused");
    });
    await expect(refused).rejects.toThrow("refused");
    const none = await store.write(keyOf(TABLE, "a", "x"), ACTOR, () => ({ op: "none" }));
    expect(none?.revision).toBe(1);
    expect(await remove(store, TABLE, "a", "missing")).toBeUndefined();
    expect(store.revision).toBe(1);
  });

  it("answers a delete with the final state at the deletion's revision", async () => {
    const store = await fixture.open();
    await put(store, TABLE, configMap("a", "x", "1"));
    const gone = await remove(store, TABLE, "a", "x");
    expect([gone?.revision, gone?.object.metadata.resourceVersion, gone?.object["data"]]).toEqual([
      2,
      "2",
      { value: "1" },
    ]);
    expect(store.get(keyOf(TABLE, "a", "x"))).toBeUndefined();
    expect(store.tables()).toEqual([]);
  });

  it("keeps everything over a restart, revisions of compacted deletions included", async () => {
    const clock = fakeClock();
    const store = await fixture.open({ clock });
    await put(store, TABLE, configMap("a", "x", "1"));
    await put(store, TABLE, configMap("a", "y", "1"));
    await remove(store, TABLE, "a", "y");
    clock.advance(2 * 3_600_000);
    expect(store.compactedRevision).toBe(3);
    await store.close();
    const again = await fixture.open({ clock });
    expect(again.revision).toBe(3);
    expect(again.get(keyOf(TABLE, "a", "x"))?.object["data"]).toEqual({ value: "1" });
    expect(names(again)).toEqual(["a/x"]);
  });

  it("commits what waits when it closes, and refuses what comes later", async () => {
    const store = await fixture.open();
    const pending = put(store, TABLE, configMap("a", "x", "1"));
    await store.close();
    expect((await pending)?.revision).toBe(1);
    await expect(put(store, TABLE, configMap("a", "y", "1"))).rejects.toThrow(StoreUnavailable);
    expect(() => store.list(TABLE)).toThrow("closed");
  });
});

describe("lists", () => {
  it("are ordered by namespace and name, and come in pages", async () => {
    const store = await fixture.open();
    for (const [namespace, name] of [
      ["b", "y"],
      ["a", "z"],
      ["c", "m"],
      ["a", "x"],
      ["b", "a"],
    ] as const)
      await put(store, TABLE, configMap(namespace, name, ""));
    expect(names(store)).toEqual(["a/x", "a/z", "b/a", "b/y", "c/m"]);
    const page = store.list(TABLE, { limit: 2, after: { namespace: "a", name: "x" } });
    expect(page.items.map((item) => item.key.name)).toEqual(["z", "a"]);
    expect(page.remaining).toBe(2);
    expect(names(store, { namespace: "b" })).toEqual(["b/a", "b/y"]);
    expect([store.count(TABLE), store.count(TABLE, "a"), store.count("pods.")]).toEqual([5, 2, 0]);
  });

  it("keep their order through later writes", async () => {
    const store = await fixture.open();
    await fill(store, 20);
    expect(names(store)).toHaveLength(20);
    await put(store, TABLE, configMap("a", "a", ""));
    await remove(store, TABLE, "a", "n5");
    await put(store, TABLE, configMap("a", "n7", "new"));
    expect(names(store)).toEqual(names(store).toSorted());
    expect(names(store)).toHaveLength(20);
  });

  it("at an older revision are what they were then", async () => {
    const store = await fixture.open();
    await put(store, TABLE, configMap("a", "x", "1"));
    await put(store, TABLE, configMap("a", "y", "1"));
    await put(store, TABLE, configMap("a", "x", "2"));
    await remove(store, TABLE, "a", "y");
    await put(store, TABLE, configMap("a", "z", "1"));
    const then = store.list(TABLE, { revision: 2 });
    expect(then.revision).toBe(2);
    expect(then.items.map((item) => [item.key.name, item.revision, item.object["data"]])).toEqual([
      ["x", 1, { value: "1" }],
      ["y", 2, { value: "1" }],
    ]);
  });
});

describe("watches", () => {
  it("get history first, then what is committed, each once and in order", async () => {
    const store = await fixture.open();
    await put(store, TABLE, configMap("a", "x", "1"));
    await put(store, "other.", configMap("a", "o", "1"));
    await put(store, TABLE, configMap("a", "x", "2"));
    const seen: string[] = [];
    const stop = store.watch(TABLE, 1, (event) => seen.push(show(event)));
    expect(seen).toEqual(["update x@3 was 1"]);
    await remove(store, TABLE, "a", "x");
    stop();
    await put(store, TABLE, configMap("a", "x", "3"));
    expect(seen).toEqual(["update x@3 was 1", "delete x@4 was 3"]);
  });

  it("replay the same from disk after a restart", async () => {
    const store = await fixture.open();
    const live: string[] = [];
    store.watch(TABLE, 0, (event) =>
      live.push(`${show(event)} ${event.object.bytes.toString()} ${event.previous?.bytes.toString()}`),
    );
    await fill(store, 3);
    await put(store, TABLE, configMap("a", "n1", "new"));
    await remove(store, TABLE, "a", "n2");
    await store.close();
    const again = await fixture.open();
    const replayed: string[] = [];
    again.watch(TABLE, 0, (event) =>
      replayed.push(`${show(event)} ${event.object.bytes.toString()} ${event.previous?.bytes.toString()}`),
    );
    expect(replayed).toEqual(live);
  });

  it("that start while a commit is told hear nothing twice", async () => {
    const store = await fixture.open();
    const late: string[] = [];
    let joined = false;
    store.watch(TABLE, 0, () => {
      if (joined) return;
      joined = true;
      store.watch(TABLE, 0, (event) => late.push(show(event)));
    });
    await fill(store, 3);
    expect(late).toEqual(["create n0@1 was -", "create n1@2 was -", "create n2@3 was -"]);
  });

  it("may write from their listener, and learn of each commit after its events", async () => {
    const store = await fixture.open();
    const order: string[] = [];
    let copied: Promise<unknown> | undefined;
    store.onCommit((revision) => order.push(`commit ${revision}`));
    store.watch(TABLE, 0, (event) => {
      order.push(show(event));
      copied ??= put(store, "copies.", configMap("a", "copy", ""));
    });
    await fill(store, 2);
    await copied;
    expect(order).toEqual(["create n0@1 was -", "create n1@2 was -", "commit 2", "commit 3"]);
  });

  it("go on when another listener throws", async () => {
    const store = await fixture.open();
    const seen: string[] = [];
    store.watch(TABLE, 0, () => {
      throw new Error("bad listener");
    });
    store.watch(TABLE, 0, (event) => seen.push(show(event)));
    await fill(store, 1);
    expect(seen).toHaveLength(1);
  });
});

describe("history", () => {
  it("is kept for the stated time and number of revisions", async () => {
    const clock = fakeClock();
    const store = await fixture.open({ clock, retention: { ms: 60_000, revisions: 100 } });
    await fill(store, 10);
    await put(store, TABLE, configMap("a", "n0", "new"));
    expect(() => store.watch(TABLE, 0, () => {})).not.toThrow();
    clock.advance(62_000);
    expect(store.compactedRevision).toBe(11);
    expect(() => store.watch(TABLE, 10, () => {})).toThrow(Compacted);
    expect(() => store.list(TABLE, { revision: 10 })).toThrow(Compacted);
    expect(store.list(TABLE, { revision: 11 }).items).toHaveLength(10);
  });

  it("gives way to many writes, in steps, and tells how far it reaches", async () => {
    const clock = fakeClock();
    const store = await fixture.open({ clock, retention: { ms: 3_600_000, revisions: 100 } });
    for (let round = 0; round < 5; round++) {
      await fill(store, 300);
      clock.advance(1_000);
    }
    expect(store.revision).toBe(1_500);
    expect(store.compactedRevision).toBe(1_400);
    const seen: number[] = [];
    store.watch(TABLE, 1_400, (event) => seen.push(event.previous?.revision ?? 0));
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => 1_101 + n));
    const error = await Promise.resolve()
      .then(() => store.watch(TABLE, 3, () => {}))
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "Compacted", oldest: 1_400 });
  });

  it("is compacted at start too", async () => {
    const clock = fakeClock();
    const store = await fixture.open({ clock });
    await fill(store, 5);
    await store.close();
    const later = fakeClock(clock.now() + 86_400_000);
    const again = await fixture.open({ clock: later });
    later.advance(10);
    expect(again.compactedRevision).toBe(5);
    expect(again.count(TABLE)).toBe(5);
  });
});
