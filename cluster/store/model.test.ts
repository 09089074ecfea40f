/** The store against the plainest thing it could be: a map, and a list of all events. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { fakeClock } from "@travelops/kube/api/clock";
import type { KubeObject } from "@travelops/kube";
import { Compacted } from "./store.ts";
import type { Store, StoreEvent } from "./store.ts";
import { configMap, put, remove, storeFixture } from "./store-fixture.ts";

const TABLES = ["configmaps.", "secrets."] as const;

type Step =
  | {
      readonly do: "put" | "remove";
      readonly table: string;
      readonly namespace: string;
      readonly name: string;
      readonly value: string;
    }
  | { readonly do: "commit" | "restart" | "hour" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("put", "put", "remove"),
      table: fc.constantFrom(...TABLES),
      namespace: fc.constantFrom("a", "b"),
      name: fc.constantFrom("x", "y", "z"),
      value: fc.string({ maxLength: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("commit", "commit", "restart", "hour") }) },
) as fc.Arbitrary<Step>;

interface Model {
  /** State of each table at each revision. */
  readonly states: Map<string, KubeObject>[];
}

const snapshot = (store: Store, table: string, revision?: number): Record<string, unknown> =>
  Object.fromEntries(
    store
      .list(table, revision === undefined ? {} : { revision })
      .items.map((item) => [`${table}${item.key.namespace}/${item.key.name}`, item.object]),
  );

/** The same by one small page after the other, which say how many are left. */
function inPages(store: Store, table: string, revision: number): string[] {
  const ids: string[] = [];
  let after: { namespace: string; name: string } | undefined;
  let expected: number | undefined;
  for (;;) {
    const page = store.list(table, { revision, limit: 2, ...(after === undefined ? {} : { after }) });
    expect(page.revision).toBe(revision);
    if (expected !== undefined) expect(page.items.length + page.remaining).toBe(expected);
    expected = page.remaining;
    ids.push(...page.items.map(({ key }) => `${table}${key.namespace}/${key.name}`));
    if (page.remaining === 0) return ids;
    after = page.items.at(-1)?.key;
  }
}

const ofTable = (state: ReadonlyMap<string, KubeObject>, table: string): Record<string, unknown> =>
  Object.fromEntries([...state].filter(([id]) => id.startsWith(table)).toSorted(([a], [b]) => (a < b ? -1 : 1)));

function replayOnto(state: ReadonlyMap<string, KubeObject>, events: readonly StoreEvent[]): Map<string, KubeObject> {
  const next = new Map(state);
  for (const event of events) {
    const id = `${event.object.key.table}${event.object.key.namespace}/${event.object.key.name}`;
    expect(next.has(id), `${event.type} ${id}@${event.revision}`).toBe(event.type !== "create");
    if (event.type === "delete") next.delete(id);
    else next.set(id, event.object.object);
  }
  return next;
}

function check(store: Store, model: Model): void {
  expect(store.revision).toBe(model.states.length - 1);
  const now = model.states.at(-1) ?? new Map<string, KubeObject>();
  for (const table of TABLES) {
    expect(snapshot(store, table)).toEqual(ofTable(now, table));
    expect(Object.keys(snapshot(store, table))).toEqual(Object.keys(ofTable(now, table)));
    expect(store.count(table)).toBe(Object.keys(ofTable(now, table)).length);
    for (const [revision, then] of model.states.entries()) checkPast(store, table, revision, then, now);
  }
}

function checkPast(
  store: Store,
  table: string,
  revision: number,
  then: ReadonlyMap<string, KubeObject>,
  now: ReadonlyMap<string, KubeObject>,
): void {
  const events: StoreEvent[] = [];
  if (revision < store.compactedRevision) {
    expect(() => store.watch(table, revision, () => {})).toThrow(Compacted);
    return;
  }
  store.watch(table, revision, (event) => events.push(event))();
  expect(events.map((event) => event.revision)).toEqual(
    events.map((event) => event.revision).toSorted((a, b) => a - b),
  );
  expect(ofTable(replayOnto(then, events), table)).toEqual(ofTable(now, table));
  try {
    const whole = snapshot(store, table, revision);
    expect(whole).toEqual(ofTable(then, table));
    expect(Object.keys(whole)).toEqual(Object.keys(ofTable(then, table)));
    expect(inPages(store, table, revision)).toEqual(Object.keys(whole));
  } catch (error) {
    if (!(error instanceof Compacted && table === "secrets.")) throw error;
  }
}

it("holds what a plain map holds, now and at every revision of the window, over restarts", async () => {
  expect.hasAssertions();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const fixture = storeFixture();
      const clock = fakeClock();
      const model: Model = { states: [new Map()] };
      let pending: Promise<unknown>[] = [];
      try {
        let store = await fixture.open({ clock });
        for (const action of steps) {
          if (action.do === "put" || action.do === "remove") {
            pending.push(act(store, model, action));
            continue;
          }
          await Promise.all(pending);
          pending = [];
          if (action.do === "hour") clock.advance(3_700_000);
          if (action.do === "restart") {
            await store.close();
            store = await fixture.open({ clock });
          }
          check(store, model);
        }
        await Promise.all(pending);
        check(store, model);
      } finally {
        await fixture.dispose();
      }
    }),
    { numRuns: 60 },
  );
});

function act(store: Store, model: Model, action: Extract<Step, { do: "put" | "remove" }>): Promise<unknown> {
  const id = `${action.table}${action.namespace}/${action.name}`;
  const state = model.states.at(-1) ?? new Map<string, KubeObject>();
  if (action.do === "remove") {
    if (state.has(id)) model.states.push(new Map([...state].filter(([key]) => key !== id)));
    return remove(store, action.table, action.namespace, action.name);
  }
  const object = configMap(action.namespace, action.name, action.value);
  const stamped = {
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(model.states.length) },
  };
  model.states.push(new Map(state).set(id, stamped));
  return put(store, action.table, object);
}
