/** The built-in rows as served resources: tables, strategies, and the conversions between versions of one kind. */
import { formatApiVersion, type KubeObject } from "@travelops/kube";
import type { Convert } from "@travelops/kube/schema/managed-fields";
import type { ResourceRow } from "@travelops/kube/schema/node";
import { builtinRows } from "@travelops/kube/schema/table";
import { eventFromCore, eventToCore } from "./conversions/events.ts";
import { hpaFromV2, hpaToV2 } from "./conversions/horizontal-pod-autoscalers.ts";
import type { ServedResource } from "./registry.ts";
import type { Strategy } from "./strategy.ts";
import { tableOf } from "./strategies/base.ts";
import { builtinStrategy } from "./strategies/index.ts";

interface Conversion {
  readonly fromStorage: (object: KubeObject) => KubeObject;
  readonly toStorage: (object: KubeObject) => KubeObject;
}

/** Versions that are not stored as they are, by `group/version/resource`. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  "autoscaling/v1/horizontalpodautoscalers": { fromStorage: hpaFromV2, toStorage: hpaToV2 },
  "events.k8s.io/v1/events": { fromStorage: eventFromCore, toStorage: eventToCore },
};

/** Resources of kinds that have versions of other shapes. */
const MANY_VERSIONS: ReadonlySet<string> = new Set(["horizontalpodautoscalers", "events"]);

/** Warned of at every use, by `group/version/resource`. */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  "/v1/componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
  "/v1/endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
};

/** Resources that are questions: nothing of them is stored. */
const NEVER_STORED: ReadonlySet<string> = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

export const isReview = (row: Pick<ResourceRow, "group">): boolean => NEVER_STORED.has(row.group);

function storageRowOf(row: ResourceRow, rows: readonly ResourceRow[]): ResourceRow {
  const group = row.group === "events.k8s.io" ? "" : row.group;
  const version = row.group === "autoscaling" ? "v2" : row.group === "events.k8s.io" ? "v1" : row.version;
  return (
    rows.find((other) => other.group === group && other.version === version && other.resource === row.resource) ?? row
  );
}

const nameOf = (row: ResourceRow): string => `${row.group}/${row.version}/${row.resource}`;

/** For owners of fields: an object of one version of a kind in another, by way of the stored one. */
function managedAs(storageRow: ResourceRow, rows: readonly ResourceRow[]): Convert | undefined {
  const versions = rows.filter((row) => storageRowOf(row, rows) === storageRow);
  if (versions.length < 2) return undefined;
  const versionOf = (apiVersion: string): ResourceRow | undefined =>
    versions.find((row) => formatApiVersion(row.group, row.version) === apiVersion);
  return (object, apiVersion) => {
    const [from, to] = [versionOf(object.apiVersion), versionOf(apiVersion)];
    if (to === undefined || from === undefined) return undefined;
    if (from === to) return { node: to.schema, object };
    const stored = CONVERSIONS[nameOf(from)]?.toStorage(object) ?? object;
    return { node: to.schema, object: CONVERSIONS[nameOf(to)]?.fromStorage(stored) ?? stored };
  };
}

/** Every built-in resource. Cheap: schemas are built when they are first asked for. */
export function builtinResources(extra: Readonly<Record<string, Partial<Strategy>>>): ServedResource[] {
  const rows = builtinRows();
  return rows.map((row) => {
    const storageRow = storageRowOf(row, rows);
    const table = tableOf(storageRow);
    const name = nameOf(row);
    const managed = MANY_VERSIONS.has(row.resource) ? managedAs(storageRow, rows) : undefined;
    const deprecation = DEPRECATIONS[name];
    return {
      row,
      storageRow,
      table,
      groupResource: { group: row.group, resource: row.resource },
      strategy: builtinStrategy(row, table, extra),
      origin: "builtin" as const,
      ...CONVERSIONS[name],
      ...(managed === undefined ? {} : { managedAs: managed }),
      ...(deprecation === undefined ? {} : { deprecation }),
    };
  });
}
