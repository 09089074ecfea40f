/** What admission is asked, put together in one place for every write. */
import type { KubeObject } from "@travelops/kube";
import type { AdmissionAttributes, Operation } from "../access.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import type { WriteContext } from "./write-context.ts";

export interface AdmissionSubject {
  readonly operation: Operation;
  readonly subresource: string;
  /** "" for cluster-scoped resources. */
  readonly namespace: string;
  readonly name: string;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  /** Where the request has others than `context` says. */
  readonly options?: () => Readonly<Record<string, unknown>> | undefined;
}

const noOptions = (): undefined => undefined;

export function admissionAttributes(
  core: ServerCore,
  resource: ServedResource,
  context: WriteContext,
  subject: AdmissionSubject,
): AdmissionAttributes {
  const { row, storageRow } = resource;
  // Some subresources have a kind of their own: Scale, Binding, Eviction, the options of a CONNECT.
  const kind = subject.subresource === "" ? row : (row.subresources.get(subject.subresource) ?? row);
  return {
    operation: subject.operation,
    user: context.user,
    group: row.group,
    version: storageRow.version,
    resource: row.resource,
    subresource: subject.subresource,
    kind: kind.kind,
    namespace: subject.namespace,
    name: subject.name,
    object: subject.object,
    oldObject: subject.oldObject,
    dryRun: context.dryRun,
    warn: context.warn,
    ...(context.annotate === undefined ? {} : { annotate: context.annotate }),
    request: {
      version: row.version,
      kind,
      options: subject.options ?? context.options ?? noOptions,
      convert: (object, version) => {
        const target = kind.kind === row.kind ? core.registry.get(row.group, version, row.resource) : undefined;
        if (target === undefined) return object;
        return core.shownAs?.(target, object) ?? target.fromStorage?.(object) ?? object;
      },
    },
  };
}
