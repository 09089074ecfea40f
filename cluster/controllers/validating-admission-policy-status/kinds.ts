/** The schemas of all kinds that are served: the built-in table, and what CRDs state. */
import type { KubeObject, parseApiVersion as Parse } from "@travelops/kube";
import type { StructNode } from "@travelops/kube/schema/node";
import { fromStructuralSchema } from "@travelops/kube/schema/structural";
import { builtinRows } from "@travelops/kube/schema/table";
import type { Kinds, TypedKind } from "./type-check.ts";

interface Definition {
  readonly group: string;
  readonly names: { readonly plural: string; readonly kind: string };
  readonly versions: readonly {
    readonly name: string;
    readonly served?: boolean;
    readonly schema?: { readonly openAPIV3Schema?: unknown };
  }[];
}

interface Row {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly schema: StructNode;
}

function* customRows(definitions: readonly KubeObject[]): Generator<Row> {
  for (const definition of definitions) {
    const { group, names, versions } = definition["spec"] as Definition;
    for (const { name, served, schema } of versions) {
      if (served !== true) continue;
      yield {
        group,
        version: name,
        resource: names.plural,
        kind: names.kind,
        get schema(): StructNode {
          return fromStructuralSchema(schema?.openAPIV3Schema ?? {});
        },
      };
    }
  }
}

export function servedKinds(definitions: readonly KubeObject[], parseApiVersion: typeof Parse): Kinds {
  const rows: readonly Row[] = [...builtinRows(), ...customRows(definitions)];
  const typed = (row: Row | undefined): TypedKind | undefined => row;
  return {
    ofResource: (group, version, resource) =>
      typed(rows.find((row) => row.group === group && row.version === version && row.resource === resource)),
    ofKind(apiVersion, kind) {
      const { group, version } = parseApiVersion(apiVersion);
      return typed(rows.find((row) => row.group === group && row.version === version && row.kind === kind));
    },
  };
}
