/** Deletion: preconditions, grace, finalizers and the three ways in which dependents follow. */
import {
  badRequest,
  conflict,
  fieldInvalid,
  fieldNotSupported,
  invalid,
  notFound,
  type KubeObject,
} from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import type { JsonObject } from "@travelops/kube/schema/json-value";
import type { Change, ObjectKey, StoredObject } from "../../store/store.ts";
import { header, type ApiCall } from "../request/api-call.ts";
import { decodeBody, optionalObject, readingOptions } from "../request/body-codec.ts";
import { queryBoolean, queryInteger } from "../request/list-options.ts";
import type { AdmissionAttributes } from "../access.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { admissionAttributes } from "./admission-attributes.ts";
import { isReleased } from "./update-object.ts";
import { dryRunOf, withMetadata, type WriteContext } from "./write-context.ts";

type Propagation = "Background" | "Foreground" | "Orphan";

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

const wrongType = (field: string): never => {
  throw badRequest(`json: cannot unmarshal value into Go struct field DeleteOptions.${field}`);
};

function integerField(body: JsonObject, name: string): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" && Number.isSafeInteger(value) ? value : wrongType(name);
}

function stringField(body: JsonObject, name: string, path = name): string | undefined {
  const value = body[name];
  if (value === undefined || value === null || value === "") return undefined;
  return typeof value === "string" ? value : wrongType(path);
}

function propagationOf(policy: string | undefined, orphan: unknown): Propagation | undefined {
  if (policy !== undefined && orphan !== undefined && orphan !== null) {
    throw invalid("meta.k8s.io", "DeleteOptions", "", [
      fieldInvalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"),
    ]);
  }
  if (policy === undefined) return orphan === true ? "Orphan" : orphan === false ? "Background" : undefined;
  if (policy === "Background" || policy === "Foreground" || policy === "Orphan") return policy;
  throw invalid("meta.k8s.io", "DeleteOptions", "", [
    fieldNotSupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]),
  ]);
}

/** Reads DeleteOptions from the body, or from the query where there is none. Throws `StatusError` 400. */
export async function deleteOptions(call: ApiCall): Promise<DeleteOptions> {
  const { value } = await decodeBody(deleteBody(call, await call.readBody()), false, readingOptions);
  const body = optionalObject(value, "DeleteOptions") ?? {};
  const kind = body["kind"];
  if (kind !== undefined && kind !== "DeleteOptions") {
    throw badRequest(
      `the object provided is unrecognized (must be of type DeleteOptions): found ${JSON.stringify(kind)}`,
    );
  }
  const preconditions = optionalObject(body["preconditions"], "preconditions") ?? {};
  const dryRun = body["dryRun"] ?? [];
  if (!Array.isArray(dryRun) || dryRun.some((value) => typeof value !== "string")) wrongType("dryRun");
  return {
    gracePeriodSeconds: integerField(body, "gracePeriodSeconds") ?? queryInteger(call.query, "gracePeriodSeconds"),
    propagation: propagationOf(
      stringField(body, "propagationPolicy") ?? call.query.get("propagationPolicy") ?? undefined,
      body["orphanDependents"] ?? queryBoolean(call.query, "orphanDependents"),
    ),
    uid: stringField(preconditions, "uid", "preconditions.uid"),
    resourceVersion: stringField(preconditions, "resourceVersion", "preconditions.resourceVersion"),
    dryRun: dryRunOf([...(dryRun as string[]), ...call.query.getAll("dryRun")], "DeleteOptions"),
  };
}

/** An empty body says nothing, whatever its content type. */
function deleteBody(call: ApiCall, body: Awaited<ReturnType<ApiCall["readBody"]>>): typeof body {
  if (body.kind === "bytes" && body.bytes.length === 0) return { kind: "none" };
  return header(call.headers, "content-type") === "" && body.kind === "bytes"
    ? { ...body, contentType: "application/json" }
    : body;
}

export interface Deleted {
  readonly object: KubeObject;
  readonly stored: StoredObject | undefined;
  /** Gone at once; else it waits for its grace period or its finalizers. */
  readonly gone: boolean;
}

/** Upstream names the kind, not the resource, in these two. */
const kindOf = ({ row }: ServedResource): { group: string; resource: string } => ({
  group: row.group,
  resource: row.kind,
});

function checkPreconditions(resource: ServedResource, name: string, object: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = object.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(
      kindOf(resource),
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid ?? ""}). The object might have been deleted and then recreated`,
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    throw conflict(
      kindOf(resource),
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion ?? ""}). The object might have been modified`,
    );
  }
}

const without = (finalizers: readonly string[], ...gone: readonly string[]): string[] =>
  finalizers.filter((finalizer) => !gone.includes(finalizer));

/** Finalizers after the propagation policy has had its say. */
function finalizersFor(resource: ServedResource, object: KubeObject, options: DeleteOptions): string[] {
  const finalizers = object.metadata.finalizers ?? [];
  const policy = options.propagation;
  if (policy === "Orphan") return [...without(finalizers, "orphan", "foregroundDeletion"), "orphan"];
  if (policy === "Foreground") return [...without(finalizers, "orphan", "foregroundDeletion"), "foregroundDeletion"];
  if (policy === "Background") return without(finalizers, "orphan", "foregroundDeletion");
  if (finalizers.includes("orphan") || finalizers.includes("foregroundDeletion")) return [...finalizers];
  return resource.strategy.defaultPropagation === "Orphan" ? [...finalizers, "orphan"] : [...finalizers];
}

/** The object once its deletion has been asked for: gone (undefined) or waiting. */
function markDeleted(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  options: DeleteOptions,
  context: WriteContext,
): KubeObject {
  const { strategy } = resource;
  const deleteContext = { ...context, gracePeriodSeconds: options.gracePeriodSeconds };
  const grace = strategy.gracePeriod?.(object, deleteContext) ?? 0;
  const { metadata } = object;
  const finalizers = finalizersFor(resource, object, options);
  const already = metadata.deletionTimestamp !== undefined;
  const graceful = strategy.gracePeriod !== undefined;
  const shorter = already && graceful && grace < (metadata.deletionGracePeriodSeconds ?? 0);
  const marks =
    already && !shorter
      ? {}
      : {
          deletionTimestamp: formatTime(core.clock.now() + grace * 1000),
          ...(strategy.marksDeletionBare === true ? {} : { deletionGracePeriodSeconds: grace }),
          ...(strategy.tracksGeneration === true &&
          strategy.marksDeletionBare !== true &&
          !already &&
          metadata.generation !== undefined
            ? { generation: metadata.generation + 1 }
            : {}),
        };
  const next = { ...metadata, ...marks };
  if (finalizers.length > 0) next.finalizers = finalizers;
  else delete next.finalizers;
  const marked = withMetadata(object, next);
  return strategy.beforeDelete?.(marked, object, deleteContext) ?? marked;
}

/** Deletes one object, or begins to. Throws `StatusError` 404 and 409. */
export async function deleteObject(
  core: ServerCore,
  resource: ServedResource,
  key: ObjectKey,
  options: DeleteOptions,
  given: WriteContext,
): Promise<Deleted> {
  const context = options.dryRun && !given.dryRun ? { ...given, dryRun: true } : given;
  const { group, resource: name } = resource.row;
  const round = context.admission === "none" ? undefined : core.admissionWebhooks.round("DELETE", group, name, "");
  if (round !== undefined) {
    const { deleteThroughWebhooks } = await import("./delete-through-webhooks.ts");
    return deleteThroughWebhooks(core, resource, key, options, context, round);
  }
  return commitDelete(core, resource, key, options, context, ({ object }) => {
    if (context.admission === "none") return;
    const attributes = deleteAttributes(core, resource, key, object, options, context);
    core.access.admission.validate(attributes);
    core.access.admission.charge(attributes);
  });
}

/** Whether the object may be deleted as far as it and the sender are concerned. Throws `StatusError`. */
export function checkDeletion(
  resource: ServedResource,
  key: ObjectKey,
  current: KubeObject,
  options: DeleteOptions,
): void {
  checkPreconditions(resource, key.name, current, options);
  resource.strategy.checkDelete?.(current);
}

/** Marks or removes the object, once `admit` has let the current one pass. */
export async function commitDelete(
  core: ServerCore,
  resource: ServedResource,
  key: ObjectKey,
  options: DeleteOptions,
  context: WriteContext,
  admit: (stored: StoredObject) => void,
): Promise<Deleted> {
  let outcome: KubeObject | undefined;
  let gone = false;
  const change = (stored: StoredObject | undefined): Change => {
    if (stored === undefined) throw notFound(resource.groupResource, key.name);
    const current = stored.object;
    checkDeletion(resource, key, current, options);
    admit(stored);
    const marked = markDeleted(core, resource, current, options, context);
    gone = isReleased(resource, marked);
    if (gone) {
      const waited = current.metadata.deletionTimestamp !== undefined || resource.strategy.gracePeriod !== undefined;
      outcome = waited ? marked : current;
      return { op: "delete", object: outcome };
    }
    outcome = marked;
    const same =
      marked.metadata.deletionTimestamp === current.metadata.deletionTimestamp &&
      JSON.stringify(marked.metadata.finalizers ?? []) === JSON.stringify(current.metadata.finalizers ?? []) &&
      marked.metadata.deletionGracePeriodSeconds === current.metadata.deletionGracePeriodSeconds &&
      marked["status"] === current["status"];
    return same ? { op: "none" } : { op: "put", object: marked };
  };
  if (context.dryRun) {
    change(core.store.get(key));
    return { object: outcome as KubeObject, stored: undefined, gone };
  }
  const stored = await core.store.write(key, context.actor, change);
  if (stored === undefined) throw notFound(resource.groupResource, key.name);
  if (gone) resource.strategy.afterDelete?.(stored.object);
  return { object: stored.object, stored, gone };
}

/** DeleteOptions as an object. */
const optionsObject = (options: DeleteOptions, dryRun: boolean): Record<string, unknown> => ({
  kind: "DeleteOptions",
  apiVersion: "meta.k8s.io/v1",
  ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
  ...(options.uid === undefined && options.resourceVersion === undefined
    ? {}
    : {
        preconditions: {
          ...(options.uid === undefined ? {} : { uid: options.uid }),
          ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
        },
      }),
  ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
  ...(dryRun ? { dryRun: ["All"] } : {}),
});

export function deleteAttributes(
  core: ServerCore,
  resource: ServedResource,
  key: ObjectKey,
  current: KubeObject,
  options: DeleteOptions,
  context: WriteContext,
): AdmissionAttributes {
  return admissionAttributes(core, resource, context, {
    operation: "DELETE",
    subresource: "",
    namespace: key.namespace,
    name: key.name,
    object: undefined,
    oldObject: current,
    options: () => optionsObject(options, context.dryRun),
  });
}
