import { expect, test } from "vitest";
import { siblingClusters } from "./sibling-clusters.ts";

const ports = { api: 16444, http: 18081, https: 18444 };
const find = siblingClusters((name) => (name === "east" ? { index: 3, ports } : undefined));
const API = { address: "10.127.3.1", ports: { 443: 16444, 6443: 16444, 16444: 16444 } };
const APPS = { address: "10.127.3.2", ports: { 80: 18081, 443: 18444, 18081: 18081, 18444: 18444 } };

test.each([
  ["api.east.travelops.internal", API],
  ["API.east.travelops.internal.", API],
  ["api.east.travelops.localhost", API],
  ["web.apps.east.travelops.internal", APPS],
  ["web.apps.east.travelops.localhost", APPS],
  ["A.B.apps.east.travelops.internal", APPS],
])("%s is at %o", (host, there) => {
  expect(find(host)).toEqual(there);
});

test.each([
  "api.west.travelops.internal",
  "web.apps.west.travelops.localhost",
  "apps.east.travelops.internal",
  "web.east.travelops.localhost",
  "web.apps.east.travelops.internal.example.com",
  "api...travelops.localhost",
  "api.../../east.travelops.internal",
  "localhost",
  "127.0.0.1",
])("%s stays out of reach", (host) => {
  expect(find(host)).toBeUndefined();
});
