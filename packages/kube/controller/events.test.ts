import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiUnderTest, startApiUnderTest } from "../../../test/api-under-test.ts";
import { fakeClock } from "../api/clock.ts";
import { CONFIG_MAPS, EVENTS } from "../client/resources.ts";
import { removeCondition, setCondition } from "./conditions.ts";
import { eventRecorder } from "./events.ts";

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApiUnderTest();
}, 90_000);
afterAll(() => api.close());

test("repeats are counted, similar ones gathered, and too many dropped", async () => {
  const clock = fakeClock();
  const object = await api.client.create(CONFIG_MAPS, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "noisy", namespace: "default" },
  });
  const recorder = eventRecorder(api.client, "tester", clock);
  const events = async () =>
    (await api.client.list(EVENTS, { namespace: "default", fieldSelector: "involvedObject.name=noisy" })).items;
  for (let i = 0; i < 3; i++) {
    recorder.record(object, "Normal", "Same", "again");
    clock.advance(1000);
  }
  await recorder.flush();
  expect(await events()).toMatchObject([
    {
      reason: "Same",
      message: "again",
      count: 3,
      type: "Normal",
      source: { component: "tester" },
      involvedObject: { uid: object.metadata.uid },
    },
  ]);
  for (let i = 0; i < 40; i++) recorder.record(object, "Warning", "Differs", `number ${i}`);
  await recorder.flush();
  const differing = (await events()).filter((event) => event.reason === "Differs");
  expect(differing).toHaveLength(11);
  expect(differing.reduce((sum, event) => sum + (event.count ?? 0), 0)).toBe(22);
  expect(differing.some((event) => event.message?.startsWith("(combined from similar events)"))).toBe(true);
});

test("components tell of objects with one name in one millisecond", async () => {
  const clock = fakeClock();
  const object = await api.client.create(CONFIG_MAPS, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "shared", namespace: "default" },
  });
  const recorders = ["one", "two"].map((component) => eventRecorder(api.client, component, clock));
  for (const recorder of recorders) recorder.record(object, "Normal", "Seen", "by both");
  for (const recorder of recorders) await recorder.flush();
  const { items } = await api.client.list(EVENTS, {
    namespace: "default",
    fieldSelector: "involvedObject.name=shared",
  });
  expect(new Set(items.map((event) => event.source?.component))).toEqual(new Set(["one", "two"]));
});

test("a condition's time moves only with its status", () => {
  const first = setCondition(undefined, { type: "A", status: "True", reason: "R" }, 0);
  expect(setCondition(first, { type: "A", status: "True", reason: "R" }, 5000)).toBe(first);
  const reworded = setCondition(first, { type: "A", status: "True", reason: "S" }, 5000);
  expect(reworded).toEqual([{ type: "A", status: "True", reason: "S", lastTransitionTime: "1970-01-01T00:00:00Z" }]);
  expect(setCondition(reworded, { type: "A", status: "False" }, 5000)[0]?.lastTransitionTime).toBe(
    "1970-01-01T00:00:05Z",
  );
  expect(removeCondition(first, "B")).toBe(first);
  expect(removeCondition(first, "A")).toEqual([]);
});
