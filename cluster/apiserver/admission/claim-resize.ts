import { forbidden } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube";
import type { AdmissionPlugin } from "./plugin.ts";
import { lookUp, shownName, writes } from "./plugin.ts";

interface Claim extends KubeObject {
  spec?: { storageClassName?: string; resources?: { requests?: { storage?: string } } };
  status?: { phase?: string };
}

const sizeOf = (claim: Claim): bigint => BigInt(tryParseQuantity(claim.spec?.resources?.requests?.storage)?.nano ?? 0);

/** A bound claim may ask for more only where its class says that its volumes can grow. */
export const claimResize: AdmissionPlugin = {
  name: "PersistentVolumeClaimResize",
  validate(attributes, view) {
    if (!writes(attributes, "", "persistentvolumeclaims") || attributes.operation !== "UPDATE") return;
    const claim = attributes.object as Claim | undefined;
    const old = attributes.oldObject as Claim | undefined;
    if (claim === undefined || old === undefined || sizeOf(claim) <= sizeOf(old)) return;
    const refuse = (why: string): Error =>
      forbidden({ group: "", resource: "persistentvolumeclaims" }, shownName(attributes), why);
    if (old.status?.phase !== "Bound") throw refuse("Only bound persistent volume claims can be expanded");
    const name = claim.spec?.storageClassName ?? "";
    const storageClass = name === "" ? undefined : lookUp(view, "storageclasses.storage.k8s.io", "", name);
    if (storageClass?.["allowVolumeExpansion"] === true) return;
    throw refuse(
      "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    );
  },
};
