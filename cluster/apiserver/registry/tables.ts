/** Objects as tables and as bare metadata: what `kubectl get` and metadata clients ask for. */
import { badRequest, type KubeObject, type ObjectMeta } from "@travelops/kube";
import { defaultPrinter, type Cell, type Column } from "./printers/printer.ts";
import type { ServedResource } from "./registry.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

export interface TableRow {
  readonly cells: Cell[];
  readonly object?: unknown;
}

export interface Table {
  readonly kind: "Table";
  readonly apiVersion: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Null: those of the table before. */
  readonly columnDefinitions: readonly Column[] | null;
  readonly rows: readonly TableRow[];
}

export interface PartialObjectMetadata {
  readonly kind: "PartialObjectMetadata";
  readonly apiVersion: string;
  readonly metadata: ObjectMeta;
}

/** Throws `StatusError` 400 for a value that does not exist. */
export function parseIncludeObject(query: URLSearchParams): IncludeObject {
  const value = query.get("includeObject") ?? "";
  if (value === "") return "Metadata";
  if (value === "None" || value === "Metadata" || value === "Object") return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export const partialMetadata = (object: KubeObject, metaVersion: string): PartialObjectMetadata => ({
  kind: "PartialObjectMetadata",
  apiVersion: `meta.k8s.io/${metaVersion}`,
  metadata: object.metadata,
});

export interface TableStyle {
  readonly metaVersion: string;
  readonly include: IncludeObject;
  /** Left out in all but the first event of a watch. */
  readonly columns: boolean;
}

/** Rows for `objects`. A printer must not throw: an object it cannot read gets empty cells. */
export function tableOf(
  resource: ServedResource,
  objects: readonly KubeObject[],
  metadata: Readonly<Record<string, unknown>>,
  style: TableStyle,
  now: number,
): Table {
  const printer = resource.strategy.printer ?? defaultPrinter;
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${style.metaVersion}`,
    metadata,
    columnDefinitions: style.columns ? printer.columns : null,
    rows: objects.map((object) => {
      const row: TableRow = { cells: printer.cells(object, now) };
      if (style.include === "None") return { ...row, object: null };
      return { ...row, object: style.include === "Object" ? object : partialMetadata(object, style.metaVersion) };
    }),
  };
}
