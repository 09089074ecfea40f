import { afterEach, beforeEach, expect, test } from "vitest";
import { fakeClock, type FakeClock, formatTime } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import { put, storeFixture, type StoreFixture } from "../../store/store-fixture.ts";
import type { Store } from "../../store/store.ts";
import type { ServerCore } from "../server-options.ts";
import { expireObjects } from "./expiry.ts";

const MINUTE = 60_000;
const EVENTS = { table: "events.", strategy: { timeToLiveMs: 60 * MINUTE } };

let fixture: StoreFixture;
let store: Store;
let clock: FakeClock;
let stop: () => void;
beforeEach(async () => {
  fixture = storeFixture();
  store = await fixture.open();
  clock = fakeClock();
  const registry = { all: () => [EVENTS] };
  stop = expireObjects({ store, clock, registry, log: silentLogger } as unknown as ServerCore);
});
afterEach(async () => {
  stop();
  await fixture.dispose();
});

const names = (): (string | undefined)[] => store.list("events.").items.map(({ object }) => object.metadata.name);
const told = (name: string, metadata: object = {}): Promise<unknown> =>
  put(store, "events.", {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: "default", creationTimestamp: formatTime(clock.now()), ...metadata },
    lastTimestamp: "2020-01-01T00:00:00Z",
  });

test("Events live for an hour from when they were last written, whatever they say of their own time", async () => {
  const time = formatTime(clock.now() + 30 * MINUTE);
  await told("once");
  await told("again", { managedFields: [{ manager: "m", operation: "Update", time }] });
  clock.advance(50 * MINUTE);
  expect(names()).toEqual(["again", "once"]);
  // Looks are a minute apart, each planned when the last is done.
  const nextMinute = (): ReturnType<typeof names> => {
    clock.advance(MINUTE);
    return names();
  };
  clock.advance(10 * MINUTE);
  await expect.poll(nextMinute, { interval: 50 }).toEqual(["again"]);
  clock.advance(30 * MINUTE);
  await expect.poll(nextMinute, { interval: 50 }).toEqual([]);
});
