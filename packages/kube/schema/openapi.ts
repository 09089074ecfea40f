/** OpenAPI documents from the rows that are served: v3 by group version, v2 as one. */
import type { ResourceRow } from "./node.ts";
import { SECURITY, type V2Content } from "./openapi/document-v2.ts";
import { groupVersionOf, type OpenApiObject, SchemaWriter } from "./openapi/schemas.ts";
import { PathWriter } from "./openapi/paths.ts";

export { V2Document, type V2Content, type V2Form, v2Part, type V2Part } from "./openapi/document-v2.ts";

export interface OpenApiOptions {
  /** What the server says of itself (`v1.35.0`). */
  readonly version?: string;
}

function pathsOf(rows: readonly ResourceRow[], dialect: "v3" | "v2", schemas: SchemaWriter): OpenApiObject {
  const paths: OpenApiObject = {};
  for (const row of rows) {
    const writer = new PathWriter(row, dialect, schemas);
    writer.write();
    Object.assign(paths, writer.paths);
  }
  return paths;
}

/**
 * The v3 document of one group version (`apps/v1`, `v1`): paths, parameters and every schema they reach.
 * Rows of other group versions are passed over. Costs some milliseconds: keep the answer.
 */
export function openApiV3(
  groupVersion: string,
  rows: readonly ResourceRow[],
  options: OpenApiOptions = {},
): OpenApiObject {
  const schemas = new SchemaWriter("v3");
  const paths = pathsOf(
    rows.filter((row) => groupVersionOf(row) === groupVersion),
    "v3",
    schemas,
  );
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: options.version ?? "v1.35.0" },
    paths,
    components: { schemas: schemas.finish(), securitySchemes: SECURITY },
  };
}

/**
 * What rows are in the v2 (swagger) document, which is put together from such parts (`V2Document`).
 * Of all built-in rows it costs tens of milliseconds: keep the answer.
 */
export function openApiV2(rows: readonly ResourceRow[]): V2Content {
  const schemas = new SchemaWriter("v2");
  const paths = pathsOf(rows, "v2", schemas);
  return { paths, definitions: schemas.finish() };
}
