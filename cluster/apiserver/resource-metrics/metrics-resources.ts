/** `metrics.k8s.io/v1beta1`: rows like any other, of which nothing is stored: the nodes are asked at every request. */
import { notFound, serviceUnavailable, type KubeObject } from "@travelops/kube";
import type { ResourceRow, StructNode } from "@travelops/kube/schema/node";
import { fromStructuralSchema } from "@travelops/kube/schema/structural";
import type { NodeAccess, PodUsage } from "../api-server.ts";
import { printer, read, text } from "../registry/printers/printer.ts";
import type { ServedResource } from "../registry/registry.ts";
import { METRICS_GROUP, nodeMetrics, podMetrics } from "./metrics-objects.ts";

const USAGE = {
  type: "object",
  additionalProperties: { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true },
};
const TIME = { timestamp: { type: "string", format: "date-time" }, window: { type: "string" } };
const NODE_SCHEMA = { type: "object", properties: { ...TIME, usage: USAGE } };
const CONTAINER = { type: "object", properties: { name: { type: "string" }, usage: USAGE } };
const POD_SCHEMA = { type: "object", properties: { ...TIME, containers: { type: "array", items: CONTAINER } } };

class MetricsRow implements ResourceRow {
  readonly group = METRICS_GROUP;
  readonly version = "v1beta1";
  readonly resource: string;
  readonly singular = "";
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs = ["get", "list"];
  readonly shortNames = [];
  readonly categories = [];
  readonly subresources = new Map();
  readonly openApiSchema: unknown;
  #schema: StructNode | undefined;

  constructor(resource: string, kind: string, namespaced: boolean, schema: unknown) {
    this.resource = resource;
    this.kind = kind;
    this.listKind = `${kind}List`;
    this.namespaced = namespaced;
    this.openApiSchema = schema;
  }

  get schema(): StructNode {
    return (this.#schema ??= fromStructuralSchema(this.openApiSchema));
  }
}

const PODS = new MetricsRow("pods", "PodMetrics", true, POD_SCHEMA);
const NODES = new MetricsRow("nodes", "NodeMetrics", false, NODE_SCHEMA);

const total = (object: KubeObject, resource: string): string => text(read(object, "usage", resource));

/** What is measured for one object of the API; undefined where nothing of it runs. */
function measure(source: KubeObject, usage: readonly PodUsage[], now: number): KubeObject | undefined {
  if (source.metadata.namespace === undefined) return nodeMetrics(source, usage, now);
  const { namespace, name } = source.metadata;
  const found = usage.find((one) => one.namespace === namespace && one.name === name);
  return found === undefined ? undefined : podMetrics(source, found, now);
}

function served(row: MetricsRow, access: () => NodeAccess | undefined): ServedResource {
  const ask = async (): Promise<readonly PodUsage[]> => {
    const usage = await access()?.usage?.();
    if (usage === undefined) throw serviceUnavailable("the nodes of this cluster do not tell what their pods use");
    return usage;
  };
  return {
    row,
    storageRow: row,
    table: `${row.resource}.`,
    groupResource: { group: row.group, resource: row.resource },
    origin: "builtin",
    strategy: {
      hasStatus: false,
      allowUnconditionalUpdate: false,
      printer: row.namespaced
        ? printer([["Containers", "integer"], ["Window"]], [], (object) => [
            ((object["containers"] ?? []) as unknown[]).length,
            text(object["window"]),
          ])
        : printer([["CPU"], ["Memory"], ["Window"]], [], (object) => [
            total(object, "cpu"),
            total(object, "memory"),
            text(object["window"]),
          ]),
    },
    virtual: {
      async list(sources, now) {
        const usage = await ask();
        return sources.flatMap((source) => measure(source, usage, now) ?? []);
      },
      async get(source, now) {
        const found = measure(source, await ask(), now);
        if (found === undefined)
          throw notFound(
            { group: row.group, resource: row.kind.toLowerCase() },
            `${source.metadata.namespace}/${source.metadata.name}`,
          );
        return found;
      },
    },
  };
}

/** `access`: whoever runs the nodes, once they run. */
export const metricsResources = (access: () => NodeAccess | undefined): ServedResource[] => [
  served(NODES, access),
  served(PODS, access),
];
