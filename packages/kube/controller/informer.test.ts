import fc from "fast-check";
import { expect, test } from "vitest";
import { eventually } from "../../../test/api-under-test.ts";
import { fakeClock } from "../api/clock.ts";
import type { KubeObject } from "../api/object.ts";
import { expired, StatusError } from "../api/status-error.ts";
import type { ApiRequest, Transport, WatchFrame } from "../client/transport.ts";
import { CONFIG_MAPS } from "../client/resources.ts";
import { createKubeClient } from "../client/kube-client.ts";
import { createInformer, type InformerEvent, type InformerOptions } from "./informer.ts";

/** A server of one resource with a revision log: what a watch gives depends only on the revision it starts from. */
class FakeServer implements Transport {
  readonly requests: ApiRequest[] = [];
  watchList = true;
  revision = 1;
  compacted = 0;
  readonly log: { revision: number; frame: WatchFrame }[] = [];
  readonly objects = new Map<string, KubeObject>();
  readonly #wakers = new Set<() => void>();
  #drops = 0;

  put(name: string, value: string): void {
    const known = this.objects.get(name);
    const revision = ++this.revision;
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name,
        namespace: "ns",
        uid: known?.metadata.uid ?? `u${revision}`,
        resourceVersion: String(revision),
      },
      data: { value },
    };
    this.objects.set(name, object);
    this.#append({ type: known === undefined ? "ADDED" : "MODIFIED", object });
  }

  remove(name: string): void {
    const known = this.objects.get(name);
    if (known === undefined) return;
    this.objects.delete(name);
    const revision = String(++this.revision);
    this.#append({
      type: "DELETED",
      object: { ...known, metadata: { ...known.metadata, resourceVersion: revision } },
    });
  }

  /** Breaks every open watch. */
  drop(): void {
    this.#drops++;
    this.#wake();
  }

  compact(): void {
    this.compacted = this.revision;
  }

  call(request: ApiRequest) {
    this.requests.push(request);
    const items = [...this.objects.values()];
    return Promise.resolve({
      code: 200,
      body: { metadata: { resourceVersion: String(this.revision) }, items },
      warnings: [],
    });
  }

  stream(): Promise<AsyncIterable<Uint8Array>> {
    return Promise.reject(new Error("no streams here"));
  }

  async *watch(request: ApiRequest): AsyncGenerator<WatchFrame> {
    this.requests.push(request);
    const drops = this.#drops;
    let seen = Number(request.query?.["resourceVersion"] ?? "0");
    if (request.query?.["sendInitialEvents"] === "true") {
      if (!this.watchList) throw new StatusError(422, "Invalid", "sendInitialEvents is forbidden");
      seen = this.revision;
      const state = [...this.objects.values()];
      for (const object of state) {
        yield { type: "ADDED", object };
        await Promise.resolve();
        if (this.#drops !== drops) throw new Error("connection reset");
      }
      const annotations = { "k8s.io/initial-events-end": "true" };
      yield {
        type: "BOOKMARK",
        object: { kind: "ConfigMap", metadata: { resourceVersion: String(seen), annotations } },
      };
    }
    if (seen < this.compacted) {
      yield { type: "ERROR", object: expired("too old resource version").status };
      return;
    }
    while (request.signal?.aborted !== true) {
      if (this.#drops !== drops) throw new Error("connection reset");
      const next = this.log.find((entry) => entry.revision > seen);
      if (next === undefined) await this.#changed(request.signal);
      else {
        seen = next.revision;
        yield next.frame;
      }
    }
  }

  #append(frame: WatchFrame): void {
    this.log.push({ revision: this.revision, frame });
    this.#wake();
  }

  #wake(): void {
    for (const waker of this.#wakers) waker();
    this.#wakers.clear();
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#wakers.add(resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

const MARKER = "marker";

function following(server: FakeServer, options: Pick<InformerOptions<KubeObject>, "managedFields"> = {}) {
  const abort = new AbortController();
  const clock = fakeClock();
  const informer = createInformer(createKubeClient(server), CONFIG_MAPS, { clock, random: () => 0, ...options });
  const events: InformerEvent<KubeObject>[] = [];
  informer.onEvent((event) => events.push(event));
  const running = informer.run(abort.signal);
  /**
   * Lets time pass until a marker written now has arrived: events come in order, so then all before it have. Comparing
   * the states would not do, since one on the way may equal the last.
   */
  const settle = async (): Promise<void> => {
    server.put(MARKER, "");
    const marker = server.objects.get(MARKER);
    await eventually(() => {
      clock.advance(60_000);
      return informer.hasSynced && informer.get("ns", MARKER) === marker;
    });
  };
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
  };
  return { informer, events, settle, stop };
}

const told = (events: readonly InformerEvent<KubeObject>[]): string[] =>
  events
    .filter((event) => event.object.metadata.name !== MARKER)
    .map((event) => `${event.type} ${event.object.metadata.name}`);

test.each([true, false])("follows from the first state on (WatchList: %s)", async (watchList) => {
  const server = new FakeServer();
  server.watchList = watchList;
  server.put("a", "1");
  const { informer, events, settle, stop } = following(server);
  await informer.synced();
  server.put("b", "1");
  server.put("a", "2");
  server.remove("b");
  await settle();
  expect(told(events)).toEqual(["added a", "added b", "updated a", "deleted b"]);
  expect(server.requests.some((request) => request.query?.["watch"] === undefined)).toBe(!watchList);
  expect(informer.get("ns", "a")).toBe(server.objects.get("a"));
  expect(events.at(2)?.object).toBe(informer.get("ns", "a"));
  await stop();
});

test("goes on from where a dropped connection ended, and reads anew only when that is too old", async () => {
  const server = new FakeServer();
  server.put("a", "1");
  server.put("gone", "1");
  const { events, settle, stop } = following(server);
  await settle();
  server.drop();
  server.put("b", "1");
  await settle();
  expect(server.requests.map((request) => request.query?.["sendInitialEvents"])).toEqual(["true", undefined]);
  server.drop();
  server.remove("gone");
  server.put("a", "2");
  server.compact();
  await settle();
  expect(server.requests.at(-1)?.query?.["sendInitialEvents"]).toBe("true");
  expect(told(events)).toEqual(["added a", "added gone", "added b", "deleted gone", "updated a"]);
  await stop();
});

test("an object made again under its name while nobody watched is a deletion and an addition", async () => {
  const server = new FakeServer();
  server.put("a", "1");
  const { events, settle, stop } = following(server);
  await settle();
  server.drop();
  server.remove("a");
  server.put("a", "2");
  server.compact();
  await settle();
  expect(told(events)).toEqual(["added a", "deleted a", "added a"]);
  await stop();
});

test("an own write is seen at once, told once, and never brings back what is gone", async () => {
  const server = new FakeServer();
  server.put("a", "1");
  const { informer, events, settle, stop } = following(server);
  await settle();
  server.put("b", "1");
  const made = server.objects.get("b");
  if (made === undefined) throw new Error("b was not made");
  informer.note(made);
  expect(informer.get("ns", "b")).toBe(made);
  await settle();
  server.remove("b");
  await settle();
  informer.note(made);
  expect(informer.get("ns", "b")).toBeUndefined();
  expect(told(events)).toEqual(["added a", "added b", "deleted b"]);
  await stop();
});

test("who owns which field is kept only where it is wanted", async () => {
  const server = new FakeServer();
  server.put("a", "1");
  const made = server.objects.get("a");
  if (made === undefined) throw new Error("a was not made");
  made.metadata.managedFields = [{ manager: "kubectl" }];
  const keeping = following(server);
  const dropping = following(server, { managedFields: "drop" });
  await keeping.settle();
  await dropping.settle();
  expect(keeping.informer.get("ns", "a")).toBe(made);
  const { managedFields: _, ...metadata } = made.metadata;
  expect(dropping.informer.get("ns", "a")).toEqual({ ...made, metadata });
  dropping.informer.note({ ...made, metadata: { ...made.metadata, resourceVersion: "90" } });
  expect(dropping.informer.get("ns", "a")?.metadata).toEqual({ ...metadata, resourceVersion: "90" });
  await Promise.all([keeping.stop(), dropping.stop()]);
});

test("indexes follow, and listeners that come late hear what there is", async () => {
  const server = new FakeServer();
  server.put("a", "x");
  server.put("b", "y");
  const { informer, settle, stop } = following(server);
  informer.addIndex("value", (object) => [String((object.data as { value: string }).value)]);
  await settle();
  server.put("b", "x");
  await settle();
  expect(informer.byIndex("value", "x").map((o) => o.metadata.name)).toEqual(["a", "b"]);
  expect(informer.byIndex("value", "y")).toEqual([]);
  const late: string[] = [];
  informer.onEvent((event) => late.push(`${event.type} ${event.object.metadata.name}`));
  expect(late.filter((one) => !one.endsWith(MARKER))).toEqual(["added a", "added b"]);
  await stop();
});

/** What a reader of the events alone would hold, and where they contradict themselves. */
function replay(events: readonly InformerEvent<KubeObject>[]): {
  seen: Map<string, KubeObject>;
  faults: string[];
} {
  const seen = new Map<string, KubeObject>();
  const faults: string[] = [];
  const revision = (object: KubeObject | undefined): number => Number(object?.metadata.resourceVersion);
  for (const event of events) {
    const key = event.object.metadata.name ?? "";
    const before = seen.get(key);
    if ((event.type === "added") !== (before === undefined)) faults.push(`${event.type} ${key} out of place`);
    if (event.type === "updated" && event.old !== before) faults.push(`${key} changed behind the reader's back`);
    if (event.type === "updated" && revision(event.object) <= revision(before)) faults.push(`${key} went backwards`);
    if (event.type === "deleted") seen.delete(key);
    else seen.set(key, event.object);
  }
  return { seen, faults };
}

test("no change is lost and none told twice, whatever breaks", async () => {
  const name = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({ do: fc.constant("put" as const), name, value: fc.string({ maxLength: 2 }) }),
    fc.record({ do: fc.constant("remove" as const), name }),
    // Gone while nobody watched, and no longer in the log: only a comparison with the whole state tells.
    fc.record({ do: fc.constant("miss" as const), name }),
    fc.record({
      do: fc.constantFrom("drop" as const, "compact" as const, "settle" as const, "refuse" as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, watchList) => {
      const server = new FakeServer();
      server.watchList = watchList;
      server.put("a", "0");
      const { events, settle, stop } = following(server);
      for (const one of steps) {
        if (one.do === "put") server.put(one.name, one.value);
        else if (one.do === "remove") server.remove(one.name);
        else if (one.do === "miss") {
          server.drop();
          server.remove(one.name);
          server.compact();
        } else if (one.do === "refuse") server.watchList = !server.watchList;
        else if (one.do === "settle") await settle();
        else server[one.do]();
        await Promise.resolve();
      }
      await settle();
      await stop();
      const { seen, faults } = replay(events);
      expect(faults).toEqual([]);
      expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(server.objects));
    }),
    { numRuns: 60 },
  );
});
