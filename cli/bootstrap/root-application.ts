/** The one Application that is not in Git: it points to Git, and everything else follows from there. */
import type { KubeObject } from "@travelops/kube";

export const GITOPS_NAMESPACE = "openshift-gitops";
export const REPOSITORY = "pattern";
export const BRANCH = "main";
/** The in-cluster repository as pods reach it. */
export const IN_CLUSTER_REPO_URL = `http://git-server.gitops.svc.cluster.local/git/${REPOSITORY}.git`;

export interface PatternSource {
  repoUrl: string;
  revision: string;
}

/** `apps/` of the repository is a chart of Applications; the repository tells it where it came from. */
export function rootApplication(source: PatternSource): KubeObject {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: {
      name: "pattern",
      namespace: GITOPS_NAMESPACE,
      finalizers: ["resources-finalizer.argocd.argoproj.io"],
    },
    spec: {
      project: "default",
      source: {
        repoURL: source.repoUrl,
        targetRevision: source.revision,
        path: "apps",
        helm: {
          valueFiles: ["../values-global.yaml", "../values-hub.yaml"],
          ignoreMissingValueFiles: true,
          parameters: [
            { name: "global.repoURL", value: source.repoUrl, forceString: true },
            { name: "global.targetRevision", value: source.revision, forceString: true },
          ],
        },
      },
      destination: { server: "https://kubernetes.default.svc", namespace: GITOPS_NAMESPACE },
      syncPolicy: { automated: { prune: true, selfHeal: true }, retry: { limit: 20 } },
    },
  };
}
