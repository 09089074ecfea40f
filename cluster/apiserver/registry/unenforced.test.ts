import { expect, it } from "vitest";
import { unenforced } from "./unenforced.ts";

it.each([
  ["networkpolicies.networking.k8s.io", {}, /does not enforce/],
  ["validatingwebhookconfigurations.admissionregistration.k8s.io", {}, /does not call/],
  ["namespaces.", { "pod-security.kubernetes.io/enforce": "restricted" }, /pod security/],
])("says of %s with labels %j that nothing acts on it", (table, labels, text) => {
  expect(unenforced(table, labels)).toMatch(text);
});

it.each([
  ["namespaces.", { team: "blue" }],
  ["namespaces.", undefined],
  ["pods.", { "pod-security.kubernetes.io/enforce": "restricted" }],
])("says nothing of %s with labels %j", (table, labels) => {
  expect(unenforced(table, labels)).toBeUndefined();
});
