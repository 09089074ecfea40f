/** `additionalPrinterColumns` of a custom resource as a printer. */
import type { KubeObject } from "@travelops/kube";
import { array, read, since, text, type Cell, type Column, type Printer } from "../registry/printers/printer.ts";
import { compileJsonPath, JsonPathError } from "./json-path.ts";

const NAME: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a " +
    "client to request the generation of an appropriate name automatically.",
  priority: 0,
};

const TYPES: ReadonlySet<string> = new Set(["string", "integer", "number", "boolean", "date"]);

interface ColumnSource {
  readonly column: Column;
  readonly values: (object: KubeObject) => unknown[];
}

const nothing = (): unknown[] => [];

/** A path that cannot be read leaves its column empty: the CRD's own validation has refused it before. */
function pathOf(jsonPath: string): (object: KubeObject) => unknown[] {
  try {
    return compileJsonPath(jsonPath);
  } catch (error) {
    if (error instanceof JsonPathError) return nothing;
    throw error;
  }
}

function sourceOf(definition: unknown): ColumnSource {
  const type = text(read(definition, "type"));
  const priority = read(definition, "priority");
  return {
    column: {
      name: text(read(definition, "name")),
      type: TYPES.has(type) ? (type as Column["type"]) : "string",
      format: text(read(definition, "format")),
      description: text(read(definition, "description")),
      priority: typeof priority === "number" ? priority : 0,
    },
    values: pathOf(text(read(definition, "jsonPath"))),
  };
}

const AGE = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "CreationTimestamp is a timestamp representing the server time when this object was created.",
};

function cell(type: Column["type"], value: unknown, now: number): Cell {
  if (value === undefined) return null;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value !== "string"
        ? "<invalid>"
        : Number.isNaN(Date.parse(value))
          ? "<invalid>"
          : since(value, now);
    case "string":
      if (value === null) return null;
      return typeof value === "object" ? JSON.stringify(value) : text(value);
  }
}

/** The printer of one version of a custom resource. */
export function columnsPrinter(additionalPrinterColumns: unknown): Printer {
  const given = array(additionalPrinterColumns);
  const sources = (given.length > 0 ? given : [AGE]).map(sourceOf);
  return {
    columns: [NAME, ...sources.map(({ column }) => column)],
    cells: (object, now) => [
      object.metadata.name ?? "",
      ...sources.map(({ column, values }) => cell(column.type, values(object)[0], now)),
    ],
  };
}
