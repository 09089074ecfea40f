/** Sync options: of the Application (`syncPolicy.syncOptions`) and of one resource (annotation). */
import type { KubeObject } from "@travelops/kube";

export interface SyncOptions {
  createNamespace: boolean;
  serverSideApply: boolean;
  replace: boolean;
  force: boolean;
  pruneLast: boolean;
  applyOutOfSyncOnly: boolean;
  respectIgnoreDifferences: boolean;
  failOnSharedResource: boolean;
  prunePropagationPolicy: "Foreground" | "Background" | "Orphan";
}

const ANNOTATION = "argocd.argoproj.io/sync-options";

export function syncOptions(list: readonly string[] | undefined): SyncOptions {
  const has = (option: string): boolean => list?.some((each) => each.trim() === option) === true;
  const policy = list
    ?.find((each) => each.startsWith("PrunePropagationPolicy="))
    ?.split("=")[1]
    ?.trim()
    .toLowerCase();
  return {
    createNamespace: has("CreateNamespace=true"),
    serverSideApply: has("ServerSideApply=true"),
    replace: has("Replace=true"),
    force: has("Force=true"),
    pruneLast: has("PruneLast=true"),
    applyOutOfSyncOnly: has("ApplyOutOfSyncOnly=true"),
    respectIgnoreDifferences: has("RespectIgnoreDifferences=true"),
    failOnSharedResource: has("FailOnSharedResource=true"),
    prunePropagationPolicy: policy === "background" ? "Background" : policy === "orphan" ? "Orphan" : "Foreground",
  };
}

export function resourceOption(object: KubeObject, option: string): boolean {
  return (object.metadata.annotations?.[ANNOTATION] ?? "").split(",").some((each) => each.trim() === option);
}

export const pruneForbidden = (object: KubeObject): boolean => resourceOption(object, "Prune=false");
export const deleteForbidden = (object: KubeObject): boolean => resourceOption(object, "Delete=false");
export const ignoresExtraneous = (object: KubeObject): boolean =>
  (object.metadata.annotations?.["argocd.argoproj.io/compare-options"] ?? "")
    .split(",")
    .some((each) => each.trim() === "IgnoreExtraneous");
