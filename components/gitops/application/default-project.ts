/** Argo CD's project `default`, which allows everything until someone narrows it. */
import { isAlreadyExists, type KubeClient } from "@travelops/kube";
import { APP_PROJECTS } from "./types.ts";

export async function ensureDefaultProject(client: KubeClient, namespace: string, signal: AbortSignal): Promise<void> {
  const project = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AppProject",
    metadata: { name: "default", namespace },
    spec: {
      sourceRepos: ["*"],
      destinations: [{ server: "*", namespace: "*" }],
      clusterResourceWhitelist: [{ group: "*", kind: "*" }],
    },
  };
  try {
    await client.create(APP_PROJECTS, project, { fieldManager: "argocd-controller", signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
