/** Argo CD's and Helm's hooks: in which phase a resource runs, and when a hook is deleted. */
import type { KubeObject } from "@travelops/kube";
import type { SyncPhase } from "../application/types.ts";

export type HookType = "PreSync" | "Sync" | "PostSync" | "SyncFail" | "Skip" | "PreDelete" | "PostDelete";
export type HookDeletePolicy = "HookSucceeded" | "HookFailed" | "BeforeHookCreation";

const HOOK = "argocd.argoproj.io/hook";
const DELETE_POLICY = "argocd.argoproj.io/hook-delete-policy";
const HELM_HOOK = "helm.sh/hook";
const HELM_DELETE_POLICY = "helm.sh/hook-delete-policy";

const TYPES: readonly HookType[] = ["PreSync", "Sync", "PostSync", "SyncFail", "Skip", "PreDelete", "PostDelete"];
const HELM_TYPES: Readonly<Record<string, HookType>> = {
  "crd-install": "PreSync",
  "pre-install": "PreSync",
  "pre-upgrade": "PreSync",
  "post-install": "PostSync",
  "post-upgrade": "PostSync",
  "pre-delete": "PreDelete",
  "post-delete": "PostDelete",
};
const HELM_POLICIES: Readonly<Record<string, HookDeletePolicy>> = {
  "hook-succeeded": "HookSucceeded",
  "hook-failed": "HookFailed",
  "before-hook-creation": "BeforeHookCreation",
};

const words = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");

/** Helm's hooks count only where the object has none of Argo CD's. Types that mean nothing here (test, rollback) make a hook that never runs. */
function hookTypes(object: KubeObject): HookType[] {
  const annotations = object.metadata.annotations;
  const own = annotations?.[HOOK];
  if (own !== undefined) return TYPES.filter((type) => words(own).includes(type));
  return [...new Set(words(annotations?.[HELM_HOOK]).flatMap((word) => HELM_TYPES[word] ?? []))];
}

export const isHook = (object: KubeObject): boolean => {
  const annotations = object.metadata.annotations;
  if (annotations?.[HOOK] !== undefined) return hookTypes(object).length > 0;
  // A CRD that Helm would install by hook is an ordinary resource here.
  const helm = words(annotations?.[HELM_HOOK]);
  return helm.length > 0 && !helm.includes("crd-install");
};

export function deletePolicies(object: KubeObject): HookDeletePolicy[] {
  const annotations = object.metadata.annotations;
  const own = words(annotations?.[DELETE_POLICY]) as HookDeletePolicy[];
  const helm = words(annotations?.[HELM_DELETE_POLICY]).flatMap((word) => HELM_POLICIES[word] ?? []);
  const all = own.length > 0 ? own : helm;
  return all.length > 0 ? all : ["BeforeHookCreation"];
}

/** Phases in which a hook takes part in a sync. */
export const hookPhases = (object: KubeObject): SyncPhase[] =>
  hookTypes(object).filter(
    (type): type is SyncPhase => type !== "Skip" && type !== "PreDelete" && type !== "PostDelete",
  );

/** A hook with generateName gets a name that is the same in every pass of one operation. */
export function hookName(object: KubeObject, revision: string, phase: SyncPhase, startedAtSeconds: number): string {
  return (
    object.metadata.name ??
    `${object.metadata.generateName ?? ""}${revision.slice(0, 7)}-${phase}-${startedAtSeconds}`.toLowerCase()
  );
}
