/** What the API server fills in where a built-in object says nothing. */
import type { KubeObject } from "../api/object.ts";
import type { Rule } from "./builtin-defaults/combinators.ts";
import { core } from "./builtin-defaults/core.ts";
import {
  admission,
  authentication,
  devices,
  discovery,
  extensions,
  flowControl,
  networking,
  rbac,
  registration,
  scheduling,
  storage,
} from "./builtin-defaults/cluster-services.ts";
import { apps, autoscalingV1, autoscalingV2, batch } from "./builtin-defaults/workloads.ts";
import type { ResourceRow } from "./node.ts";
import { normalize } from "./normalize.ts";

const RULES: ReadonlyMap<string, Readonly<Record<string, Rule>>> = new Map([
  ["/v1", core],
  ["apps/v1", apps],
  ["batch/v1", batch],
  ["autoscaling/v1", autoscalingV1],
  ["autoscaling/v2", autoscalingV2],
  ["networking.k8s.io/v1", networking],
  ["discovery.k8s.io/v1", discovery],
  ["storage.k8s.io/v1", storage],
  ["rbac.authorization.k8s.io/v1", rbac],
  ["admissionregistration.k8s.io/v1", admission],
  ["scheduling.k8s.io/v1", scheduling],
  ["flowcontrol.apiserver.k8s.io/v1", flowControl],
  ["resource.k8s.io/v1", devices],
  ["apiextensions.k8s.io/v1", extensions],
  ["apiregistration.k8s.io/v1", registration],
  ["authentication.k8s.io/v1", authentication],
]);

/** What names a kind and its shape; a row of the table is one. */
export type DefaultedKind = Pick<ResourceRow, "group" | "version" | "kind" | "schema">;

/**
 * The object with its kind's defaults, in the form in which the API writes it (see `normalize`).
 * It must have passed the type check; running it again changes nothing.
 */
export function defaultBuiltin<T extends KubeObject>(row: DefaultedKind, object: T): T {
  const normal = normalize(row.schema, object);
  const rule = RULES.get(`${row.group}/${row.version}`)?.[row.kind];
  return rule === undefined ? normal : (rule(normal) as T);
}
