/** Volumes of pods and persistent volumes, and claims. */
import { all, at, each, given, type Rule, set, setUnset, when } from "./combinators.ts";
import type { JsonObject } from "../json-value.ts";
import { pullPolicy } from "./image-policy.ts";

/** Files are 0644 unless somebody says otherwise. */
const MODE = { defaultMode: 0o644 };

export const objectField: Rule = set({ apiVersion: "v1" });

const projection: Rule = all(
  at("serviceAccountToken", setUnset({ expirationSeconds: 3600 })),
  at("downwardAPI", each("items", at("fieldRef", objectField))),
);

/** Sources that pods and persistent volumes share. */
const shared: Rule = all(
  at("hostPath", setUnset({ type: "" })),
  at("iscsi", set({ iscsiInterface: "default" })),
  at("rbd", set({ pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" })),
  at("azureDisk", set({ cachingMode: "ReadWrite", kind: "Shared", fsType: "ext4" }), setUnset({ readOnly: false })),
  at("scaleIO", set({ storageMode: "ThinProvisioned", fsType: "xfs" })),
);

export const claimSpec: Rule = setUnset({ volumeMode: "Filesystem" });

const pending: Rule = at("status", set({ phase: "Pending" }));

export const claim: Rule = all(at("spec", claimSpec), pending);

const hasSource = (volume: JsonObject): boolean => Object.keys(volume).some((key) => key !== "name");

export const volume: Rule = all(
  given((value) => !hasSource(value), set({ emptyDir: {} })),
  shared,
  at("secret", setUnset(MODE)),
  at("configMap", setUnset(MODE)),
  at("downwardAPI", setUnset(MODE), each("items", at("fieldRef", objectField))),
  at("projected", setUnset(MODE), each("sources", projection)),
  at("ephemeral", at("volumeClaimTemplate", at("spec", claimSpec))),
  at("image", when("pullPolicy", pullPolicy("reference"))),
);

export const persistentVolume: Rule = all(
  at("spec", set({ persistentVolumeReclaimPolicy: "Retain" }), claimSpec, shared),
  at("status", set({ phase: "Pending" })),
);

const CLAIM = { apiVersion: "v1", kind: "PersistentVolumeClaim" };

/** A claim inside a stateful set names its own kind, whatever was said of it. */
export const claimTemplate: Rule = all(
  (claim) =>
    claim["apiVersion"] === CLAIM.apiVersion && claim["kind"] === CLAIM.kind ? claim : { ...claim, ...CLAIM },
  at("spec", claimSpec),
  pending,
);
