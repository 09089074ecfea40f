/** A kustomization of the repository, built by `kubectl kustomize`; the Application's options become an overlay. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import type { KustomizeSource } from "../application/types.ts";
import { parseRendered, type Manifest } from "./manifests.ts";
import { ToolError, type RunTool } from "./run-tool.ts";
import { SourceError } from "./source-error.ts";

export const KUSTOMIZATION_FILES = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

export interface KustomizeRender {
  kubectl: string;
  run: RunTool;
  root: string;
  directory: string;
  options: KustomizeSource;
  signal: AbortSignal;
}

export async function renderKustomize(render: KustomizeRender): Promise<Manifest[]> {
  const scratch = await mkdtemp(path.join(tmpdir(), "gitops-kustomize-"));
  const name = path.relative(render.root, render.directory) || ".";
  try {
    const target = await overlay(render, scratch);
    const { stdout } = await render.run(render.kubectl, ["kustomize", target], {
      signal: render.signal,
      env: { HOME: scratch },
    });
    return parseRendered(stdout, (file) => file).map((manifest) => ({
      ...manifest,
      file: `${name}/kustomization.yaml`,
    }));
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new SourceError(`${name}: ${error.message.replaceAll(`${render.root}/`, "").replaceAll(scratch, "")}`, {
      cause: error,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Without options the directory itself; else a kustomization around it, so that the tree stays untouched. */
async function overlay(render: KustomizeRender, scratch: string): Promise<string> {
  const kustomization = overlayOf(render.options);
  if (Object.keys(kustomization).length === 0) return render.directory;
  const base = path.relative(scratch, render.directory);
  const components = (render.options.components ?? []).map((component) =>
    path.relative(scratch, path.resolve(render.directory, component)),
  );
  const text = stringify({
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [base],
    ...kustomization,
    ...(components.length > 0 ? { components } : {}),
  });
  await writeFile(path.join(scratch, "kustomization.yaml"), text);
  return scratch;
}

function overlayOf(options: KustomizeSource): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  if (options.namePrefix) result["namePrefix"] = options.namePrefix;
  if (options.nameSuffix) result["nameSuffix"] = options.nameSuffix;
  if (options.namespace) result["namespace"] = options.namespace;
  if (options.commonLabels)
    result["labels"] = [{ pairs: options.commonLabels, includeSelectors: options.labelWithoutSelector !== true }];
  if (options.commonAnnotations) result["commonAnnotations"] = options.commonAnnotations;
  if (options.images?.length) result["images"] = options.images.map(parseImageOverride);
  if (options.replicas?.length)
    result["replicas"] = options.replicas.map(({ name, count }) => ({ name, count: Number(count) }));
  if (options.patches?.length) result["patches"] = options.patches;
  if (options.components?.length) result["components"] = [];
  return result;
}

/** `[old=]new[:tag|@digest]` → kustomize's image entry. */
function parseImageOverride(text: string): {
  name: string;
  newName?: string;
  newTag?: string;
  digest?: string;
} {
  const equals = text.indexOf("=");
  const old = equals < 0 ? undefined : text.slice(0, equals);
  const image = text.slice(equals + 1);
  const at = image.indexOf("@");
  if (at >= 0)
    return {
      name: old ?? image.slice(0, at),
      ...(old === undefined ? {} : { newName: image.slice(0, at) }),
      digest: image.slice(at + 1),
    };
  const colon = image.lastIndexOf(":");
  const tagged = colon > image.lastIndexOf("/");
  const name = tagged ? image.slice(0, colon) : image;
  return {
    name: old ?? name,
    ...(old === undefined ? {} : { newName: name }),
    ...(tagged ? { newTag: image.slice(colon + 1) } : {}),
  };
}
