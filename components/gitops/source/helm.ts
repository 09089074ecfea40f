/** A chart of the repository, rendered by the real Helm as `helm template`. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import type { HelmSource } from "../application/types.ts";
import { parseRendered, type Manifest } from "./manifests.ts";
import { resolveInside } from "./paths.ts";
import { ToolError, type RunTool } from "./run-tool.ts";
import { SourceError } from "./source-error.ts";
import { lineOfFault, lineOfObject } from "./template-lines.ts";

/** Of no use to who reads the Application. */
const DEBUG_HINT = /\s*Use --debug flag to render out invalid YAML\s*$/;

export interface HelmRender {
  helm: string;
  run: RunTool;
  root: string;
  chart: string;
  options: HelmSource;
  releaseName: string;
  namespace: string;
  kubeVersion: string;
  apiVersions: readonly string[];
  buildEnvironment: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

export async function renderHelm(render: HelmRender): Promise<Manifest[]> {
  const scratch = await mkdtemp(path.join(tmpdir(), "gitops-helm-"));
  try {
    const args = await helmArguments(render, scratch);
    const { stdout } = await render.run(render.helm, args, { env: helmEnvironment(scratch), signal: render.signal });
    return await withLines(
      render,
      parseRendered(stdout, (file) => inRepository(render, file)),
    );
  } catch (error) {
    throw error instanceof ToolError ? await explain(render, error, scratch) : error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const helmEnvironment = (scratch: string): Record<string, string> => ({
  HOME: scratch,
  HELM_CACHE_HOME: `${scratch}/cache`,
  HELM_CONFIG_HOME: `${scratch}/config`,
  HELM_DATA_HOME: `${scratch}/data`,
});

/** Values in Helm's own order of strength: files, then `values`, then parameters. */
async function helmArguments(render: HelmRender, scratch: string): Promise<string[]> {
  const { options } = render;
  const args = [
    "template",
    checkedReleaseName(options.releaseName ?? render.releaseName),
    render.chart,
    "--namespace",
    options.namespace ?? render.namespace,
  ];
  args.push("--kube-version", options.kubeVersion ?? render.kubeVersion);
  for (const version of options.apiVersions ?? render.apiVersions) args.push("--api-versions", version);
  if (options.skipCrds !== true) args.push("--include-crds");
  if (options.skipTests === true) args.push("--skip-tests");
  if (options.skipSchemaValidation === true) args.push("--skip-schema-validation");
  for (const file of await valueFiles(render)) args.push("--values", file);
  const inline = options.valuesObject === undefined ? options.values : stringify(options.valuesObject);
  if (inline !== undefined && inline !== "") {
    const file = path.join(scratch, "values.yaml");
    await writeFile(file, substitute(inline, render.buildEnvironment), { mode: 0o600 });
    args.push("--values", file);
  }
  for (const parameter of options.parameters ?? []) {
    const flag = parameter.forceString === true ? "--set-string" : "--set";
    args.push(
      flag,
      `${parameter.name ?? ""}=${escapeValue(substitute(parameter.value ?? "", render.buildEnvironment))}`,
    );
  }
  for (const parameter of options.fileParameters ?? []) {
    const file = await resolveInside(render.root, render.chart, parameter.path ?? "", "helm.fileParameters");
    args.push("--set-file", `${checkedFileParameter(parameter.name ?? "")}=${file.replaceAll(",", "\\,")}`);
  }
  return args;
}

/** Helm's own rule. A name that starts with a dash would be a flag, and flags read any file of the controller's. */
function checkedReleaseName(name: string): string {
  if (name.length <= 53 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) return name;
  throw new SourceError(
    `helm.releaseName: "${name}" is no release name: lower-case letters, digits, "-" and "." are allowed, 53 at the most`,
  );
}

/** With a comma it would be several parameters, of which one could name a file outside of the repository. */
function checkedFileParameter(name: string): string {
  if (!/[,=]/.test(name)) return name;
  throw new SourceError(
    `helm.fileParameters: the name "${name}" has a comma or an equals sign: use one entry a parameter`,
  );
}

async function valueFiles(render: HelmRender): Promise<string[]> {
  const files: string[] = [];
  for (const name of render.options.valueFiles ?? []) {
    const file = substitute(name, render.buildEnvironment);
    if (/^https?:\/\//.test(file))
      throw new SourceError(`helm.valueFiles: "${file}": values from a URL are not supported: commit the file`);
    // Helm splits the flag's value at commas.
    if (file.includes(","))
      throw new SourceError(`helm.valueFiles: "${file}" has a comma in its path: rename the file`);
    try {
      files.push(await resolveInside(render.root, render.chart, file, "helm.valueFiles"));
    } catch (error) {
      if (!(error instanceof SourceError && error.missing && render.options.ignoreMissingValueFiles === true))
        throw error;
    }
  }
  return files;
}

/** Helm splits `--set` at commas: Argo CD escapes them unless the value is a list or already escaped. */
const escapeValue = (value: string): string => (/^\{.*\}$/.test(value) ? value : value.replace(/(?<!\\),/g, "\\,"));

/** `$NAME` and `${NAME}` of Argo CD's build environment; others stay as they are. */
export function substitute(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:\{([A-Z0-9_]+)\}|([A-Z0-9_]+))/g,
    (whole, braced?: string, bare?: string) => environment[braced ?? bare ?? ""] ?? whole,
  );
}

/** Helm names templates by the chart's name; the repository by its folder. */
function inRepository(render: HelmRender, file: string): string {
  const inChart = file.split("/").slice(1).join("/");
  return path.join(path.relative(render.root, render.chart), inChart);
}

/** Each object with its line of the template, where that can be told. */
async function withLines(render: HelmRender, manifests: readonly Manifest[]): Promise<Manifest[]> {
  const files = new Set(manifests.flatMap(({ file }) => file ?? []));
  const templates = new Map(
    await Promise.all([...files].map(async (file) => [file, await templateText(render, file)] as const)),
  );
  return manifests.map((manifest) => ({
    ...manifest,
    line: lineOfObject(templates.get(manifest.file ?? "") ?? "", manifest.object),
  }));
}

/** "" for what is no file of the repository: a packaged chart's template, or a comment that only looks like one. */
async function templateText(render: HelmRender, file: string): Promise<string> {
  try {
    return await readFile(await resolveInside(render.root, render.root, file, "template"), "utf8");
  } catch {
    return "";
  }
}

/** Helm counts lines from the start of the rendered template's document: its debug output shows where that is. */
async function faultLine(render: HelmRender, source: string, scratch: string): Promise<number | undefined> {
  const args = [...(await helmArguments(render, scratch)), "--debug"];
  const { stdout } = await render
    .run(render.helm, args, { env: helmEnvironment(scratch), signal: render.signal })
    .catch((error: unknown) => {
      if (error instanceof ToolError) return error;
      throw error;
    });
  return lineOfFault(stdout, source, await templateText(render, inRepository(render, source)));
}

/** Without what Helm notes beside the fault, and where on the controller's disk the repository is. */
const saidOfRepository = (text: string, root: string): string =>
  text.replace(/level=(?:DEBUG|INFO|WARN) .*\n?/g, "").replaceAll(`${root}/`, "");

/** Helm's own words with the file's place in the repository, file and line first. */
async function explain(render: HelmRender, error: ToolError, scratch: string): Promise<SourceError> {
  const chartName = await readFile(path.join(render.chart, "Chart.yaml"), "utf8").then(
    (text) => /^name:\s*["']?([^\s"']+)/m.exec(text)?.[1] ?? "",
    () => "",
  );
  const text = saidOfRepository(error.message, render.root);
  const inValues = /failed to parse ([\w./-]+): .*?yaml: line (\d+)/s.exec(text);
  if (inValues !== null) return new SourceError(`${inValues[1]}:${inValues[2]}: ${text}`, { cause: error });
  const inTemplate = /\(?([\w./-]+\/(?:templates|charts)\/[\w./-]+?):(\d+)(?::\d+)?\)?/.exec(text);
  const inYaml = /YAML parse error on ([\w./-]+):.*?(?:yaml: )?line (\d+)/s.exec(text);
  const found = inYaml ?? inTemplate;
  if (found?.[1] !== undefined && (chartName === "" || found[1].startsWith(`${chartName}/`))) {
    const line = inYaml === null ? found[2] : await faultLine(render, found[1], scratch);
    const place = `${inRepository(render, found[1])}${line === undefined ? "" : `:${line}`}`;
    return new SourceError(`${place}: ${text.replace(DEBUG_HINT, "")}`, { cause: error });
  }
  return new SourceError(`${path.relative(render.root, render.chart) || "."}: ${text}`, { cause: error });
}
