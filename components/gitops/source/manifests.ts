/** YAML and JSON text → objects, each with the place it came from: a fault is told with file and line. */
import { LineCounter, parseAllDocuments } from "yaml";
import type { KubeObject } from "@travelops/kube";
import { SourceError } from "./source-error.ts";

export interface Manifest {
  object: KubeObject;
  /** File in the repository, where it is known. */
  file: string | undefined;
  /** 1-based line at which the document starts in that file. */
  line: number | undefined;
}

/** A file of plain manifests. */
export function parseManifestFile(text: string, file: string): Manifest[] {
  return parseStream(text, file, (line) => ({ file, line }));
}

/** Output of a renderer: Helm's `# Source:` comments tell the template. */
export function parseRendered(text: string, chartPrefix: (file: string) => string): Manifest[] {
  const lines = text.split("\n");
  let index = 0;
  let source: string | undefined;
  return parseStream(text, "the rendered manifests", (line) => {
    for (; index < Math.min(line, lines.length); index++) {
      const match = /^# Source: (.+)$/.exec(lines[index] ?? "");
      if (match?.[1] !== undefined) source = chartPrefix(match[1].trim());
    }
    return { file: source, line: undefined };
  });
}

function parseStream(
  text: string,
  name: string,
  place: (line: number) => { file: string | undefined; line: number | undefined },
): Manifest[] {
  const counter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: counter, uniqueKeys: true });
  const manifests: Manifest[] = [];
  for (const document of documents) {
    const error = document.errors[0];
    if (error !== undefined) {
      const line = counter.linePos(error.pos[0]).line;
      const where = place(line);
      throw new SourceError(
        `${where.file ?? name}${where.line === undefined ? "" : `:${line}`}: ${firstLine(error.message)}`,
      );
    }
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue;
    const line = counter.linePos(document.contents?.range?.[0] ?? 0).line;
    manifests.push(...toManifests(value, place(line), name));
  }
  return manifests;
}

const firstLine = (text: string): string => text.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? text;

function toManifests(
  value: unknown,
  where: { file: string | undefined; line: number | undefined },
  name: string,
): Manifest[] {
  const at = `${where.file ?? name}${where.line === undefined ? "" : `:${where.line}`}`;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SourceError(`${at}: a manifest must be an object with apiVersion and kind`);
  const object = value as Partial<KubeObject>;
  if (typeof object.apiVersion !== "string" || object.apiVersion === "")
    throw new SourceError(`${at}: apiVersion is missing`);
  if (typeof object.kind !== "string" || object.kind === "") throw new SourceError(`${at}: kind is missing`);
  if (object.kind.endsWith("List") && Array.isArray(object["items"])) {
    return (object["items"] as unknown[]).flatMap((item) => toManifests(item, where, name));
  }
  const metadata = object.metadata;
  const named =
    typeof metadata === "object" &&
    metadata !== null &&
    (typeof metadata.name === "string" || typeof metadata.generateName === "string");
  if (!named) throw new SourceError(`${at}: ${object.kind} has no metadata.name`);
  return [{ object: object as KubeObject, ...where }];
}

/** `charts/travel-agency/templates/cars.yaml:12` or "". */
export const placeOf = (manifest: Pick<Manifest, "file" | "line">): string =>
  manifest.file === undefined ? "" : `${manifest.file}${manifest.line === undefined ? "" : `:${manifest.line}`}`;
