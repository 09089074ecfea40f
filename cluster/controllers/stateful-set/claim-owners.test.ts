/** Which claims go with a StatefulSet, which with a pod, and which stay. */
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "@travelops/kube";
import { expect, test } from "vitest";
import { isLeftOver, wantedOwners } from "./claim-owners.ts";

const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "db-1", uid: "pod" }, spec: { containers: [] } };
const ref = (kind: string, name: string, uid: string, controller = true): OwnerReference => ({
  apiVersion: kind === "Pod" ? "v1" : "apps/v1",
  kind,
  name,
  uid,
  controller,
  blockOwnerDeletion: true,
});
const SET = ref("StatefulSet", "db", "set");
const POD = ref("Pod", "db-1", "pod");

function set(whenDeleted: string, whenScaled: string): StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", uid: "set" },
    spec: {
      selector: {},
      template: { spec: { containers: [] } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
    },
  };
}

const claim = (...ownerReferences: OwnerReference[]): PersistentVolumeClaim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data-db-1", ownerReferences },
  spec: {},
});

test.each<[string, string, string, boolean, OwnerReference[], string[] | undefined]>([
  ["kept for good", "Retain", "Retain", true, [], undefined],
  ["kept for good after all", "Retain", "Retain", true, [SET], []],
  ["goes with the set", "Delete", "Retain", true, [], ["StatefulSet"]],
  ["goes with the set, scaled away or not", "Delete", "Retain", false, [SET], undefined],
  ["goes with the pod, which is wanted", "Retain", "Delete", true, [], undefined],
  ["goes with the pod, which is not wanted", "Retain", "Delete", false, [], ["Pod"]],
  ["the pod is wanted again", "Retain", "Delete", true, [POD], []],
  ["goes with either, of which the set is there", "Delete", "Delete", true, [], ["StatefulSet"]],
  ["goes with either, of which the pod goes first", "Delete", "Delete", false, [SET], ["Pod"]],
  ["belongs to someone else", "Delete", "Delete", true, [ref("Other", "x", "x")], undefined],
  [
    "an owner that does not control is none",
    "Delete",
    "Retain",
    true,
    [{ ...SET, controller: false }],
    ["StatefulSet"],
  ],
  ["an elder pod of the name is not this one", "Delete", "Delete", true, [ref("Pod", "db-1", "old")], undefined],
])("%s", (_what, whenDeleted, whenScaled, isWanted, known, wanted) => {
  const owners = wantedOwners(claim(...known), set(whenDeleted, whenScaled), pod, isWanted);
  expect(owners?.map(({ kind, controller }) => (controller === true ? kind : `${kind}?`))).toEqual(wanted);
});

test("a claim about to go with its pod is not taken up by the next", () => {
  expect(isLeftOver(claim(POD), set("Retain", "Delete"), "db-1")).toBe(true);
  expect(isLeftOver(claim(POD), set("Retain", "Retain"), "db-1")).toBe(false);
  expect(isLeftOver(claim(SET), set("Retain", "Delete"), "db-1")).toBe(false);
});
