import { expect, test } from "vitest";
import { siblingClusters } from "./sibling-clusters.ts";

const map = siblingClusters((name) => (name === "east" ? { api: 16444, http: 18081, https: 18444 } : undefined));

test.each([
  ["api.east.travelops.internal", 6443, 16444],
  ["api.east.travelops.localhost", 6443, 16444],
  ["api.east.travelops.localhost", 16444, 16444],
  ["web.apps.east.travelops.localhost", 80, 18081],
  ["web.apps.east.travelops.localhost", 18081, 18081],
  ["A.B.apps.east.travelops.localhost", 443, 18444],
])("%s:%i is 127.0.0.1:%i", (host, port, there) => {
  expect(map(host, port)).toEqual({ host: "127.0.0.1", port: there });
});

test.each([
  ["api.east.travelops.localhost", 22],
  ["api.east.travelops.localhost", 18081],
  ["web.apps.east.travelops.internal", 80],
  ["web.apps.west.travelops.localhost", 80],
  ["web.east.travelops.localhost", 80],
  ["web.apps.east.travelops.localhost.example.com", 80],
  ["api...travelops.localhost", 6443],
  ["localhost", 16444],
  ["127.0.0.1", 16444],
])("%s:%i stays out of reach", (host, port) => {
  expect(map(host, port)).toBeUndefined();
});
