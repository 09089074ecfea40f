import { expect, test } from "vitest";
import type { Pod, Service } from "@travelops/kube";
import { timed, TRIGGER_TIME, TriggerTimes } from "./trigger-times.ts";

const service: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "ns", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {},
};

const pod = (name: string, since: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "ns" },
  spec: { containers: [{ name: "c" }] },
  status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: since }] },
});

test("a new Service tells its own time, then the earliest of what changed, and nothing where nothing did", () => {
  const times = new TriggerTimes();
  expect(times.next("ns/web", service, [pod("a", "2026-01-01T00:00:09Z")])).toBe("2026-01-01T00:00:00Z");
  expect(times.next("ns/web", service, [pod("a", "2026-01-01T00:00:09Z")])).toBeUndefined();
  const later = [pod("a", "2026-01-01T00:00:30Z"), pod("b", "2026-01-01T00:00:20Z"), pod("c", "2026-01-01T00:00:40Z")];
  expect(times.next("ns/web", service, later)).toBe("2026-01-01T00:00:20Z");
  expect(times.next("ns/web", service, later.slice(1))).toBeUndefined();
  times.forget("ns/web");
  expect(times.next("ns/web", service, [])).toBe("2026-01-01T00:00:00Z");
});

test("an old time goes where there is no new one; other annotations stay", () => {
  const object = { metadata: { name: "x", annotations: { other: "y" } } };
  const first = timed(object, "2026-01-01T00:00:00Z");
  expect(first.metadata.annotations).toEqual({ other: "y", [TRIGGER_TIME]: "2026-01-01T00:00:00Z" });
  expect(timed(first, undefined).metadata.annotations).toEqual({ other: "y" });
});
