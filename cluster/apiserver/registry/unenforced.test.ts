import { expect, it } from "vitest";
import { unenforced } from "./unenforced.ts";

it("says of kinds that are only stored that nothing acts on them", () => {
  expect(unenforced("flowschemas.flowcontrol.apiserver.k8s.io")).toMatch(/not by FlowSchemas/);
});

it.each(["namespaces.", "pods.", "validatingadmissionpolicies.admissionregistration.k8s.io"])(
  "says nothing of %s",
  (table) => {
    expect(unenforced(table)).toBeUndefined();
  },
);
