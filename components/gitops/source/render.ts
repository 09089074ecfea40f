/** One source of an Application at one commit → its manifests. */
import { stat } from "node:fs/promises";
import path from "node:path";
import type { Application, ApplicationSource, SourceType } from "../application/types.ts";
import { renderDirectory } from "./directory.ts";
import { renderHelm } from "./helm.ts";
import { KUSTOMIZATION_FILES, renderKustomize } from "./kustomize.ts";
import type { Manifest } from "./manifests.ts";
import { refuseOutwardLinks, resolveInside } from "./paths.ts";
import type { RunTool } from "./run-tool.ts";
import { SourceError } from "./source-error.ts";

export interface Renderer {
  helm: string;
  kubectl: string;
  run: RunTool;
}

export interface RenderRequest {
  application: Application;
  source: ApplicationSource;
  tree: string;
  revision: string;
  kubeVersion: string;
  apiVersions: readonly string[];
  signal: AbortSignal;
}

export interface Rendered {
  type: SourceType;
  manifests: Manifest[];
}

export async function render(renderer: Renderer, request: RenderRequest): Promise<Rendered> {
  const { source, tree, application } = request;
  if (source.plugin !== undefined) throw new SourceError("source.plugin: config management plugins are not supported");
  const directory = await resolveInside(tree, tree, source.path ?? ".", "source.path");
  if (!(await stat(directory)).isDirectory()) throw new SourceError(`source.path: "${source.path}" is no directory`);
  await refuseOutwardLinks(tree, directory);
  const type = await sourceType(source, directory);
  const { run } = renderer;
  const { signal } = request;
  if (type === "Helm") {
    const manifests = await renderHelm({
      helm: renderer.helm,
      run,
      root: tree,
      chart: directory,
      options: source.helm ?? {},
      releaseName: application.metadata.name ?? "",
      namespace: application.spec.destination.namespace ?? "",
      kubeVersion: request.kubeVersion,
      apiVersions: request.apiVersions,
      buildEnvironment: buildEnvironment(request),
      signal,
    });
    return { type, manifests };
  }
  if (type === "Kustomize")
    return {
      type,
      manifests: await renderKustomize({
        kubectl: renderer.kubectl,
        run,
        root: tree,
        directory,
        options: source.kustomize ?? {},
        signal,
      }),
    };
  return { type, manifests: await renderDirectory(tree, directory, source.directory ?? {}) };
}

/** Said by the Application, else seen by the files. */
export async function sourceType(source: ApplicationSource, directory: string): Promise<SourceType> {
  const explicit = [source.helm, source.kustomize, source.directory].filter(
    (options) => options !== undefined && Object.keys(options).length > 0,
  );
  if (explicit.length > 1) throw new SourceError("source: only one of helm, kustomize and directory can be set");
  if (explicit.length === 1)
    return explicit[0] === source.helm ? "Helm" : explicit[0] === source.kustomize ? "Kustomize" : "Directory";
  if (await isFile(path.join(directory, "Chart.yaml"))) return "Helm";
  for (const name of KUSTOMIZATION_FILES) if (await isFile(path.join(directory, name))) return "Kustomize";
  return "Directory";
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isFile(),
    () => false,
  );

/** Argo CD's build environment. */
function buildEnvironment({ application, source, revision }: RenderRequest): Record<string, string> {
  return {
    ARGOCD_APP_NAME: application.metadata.name ?? "",
    ARGOCD_APP_NAMESPACE: application.spec.destination.namespace ?? "",
    ARGOCD_APP_PROJECT_NAME: application.spec.project,
    ARGOCD_APP_REVISION: revision,
    ARGOCD_APP_REVISION_SHORT: revision.slice(0, 7),
    ARGOCD_APP_REVISION_SHORT_8: revision.slice(0, 8),
    ARGOCD_APP_SOURCE_PATH: source.path ?? "",
    ARGOCD_APP_SOURCE_REPO_URL: source.repoURL,
    ARGOCD_APP_SOURCE_TARGET_REVISION: source.targetRevision ?? "",
  };
}
