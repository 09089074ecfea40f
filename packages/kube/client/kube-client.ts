/** The client everyone uses: turns typed calls into requests of a transport. Holds no state. */
import { formatApiVersion, type KubeList, type KubeObject } from "../api/object.ts";
import type { DeleteOptions, KubeClient, ListOptions, Resource, WriteOptions } from "./client.ts";
import { resourcePath } from "./resources.ts";
import type { ApiRequest, Transport } from "./transport.ts";

type Query = Record<string, string | undefined>;

const writeQuery = (options: WriteOptions): Query => ({
  fieldManager: options.fieldManager,
  dryRun: options.dryRun === true ? "All" : undefined,
  fieldValidation: options.fieldValidation,
});

const listQuery = (options: ListOptions): Query => ({
  labelSelector: options.labelSelector,
  fieldSelector: options.fieldSelector,
  limit: options.limit === undefined ? undefined : String(options.limit),
  continue: options.continue,
  resourceVersion: options.resourceVersion,
});

/** Items of built-in kinds come without apiVersion and kind, and an empty list of some kinds as null. */
function typedItems<T extends KubeObject>(resource: Resource<T>, list: KubeList<T>): KubeList<T> {
  const items = (list.items as T[] | null) ?? [];
  if (items.every((item) => (item as Partial<T>).apiVersion !== undefined)) return { ...list, items };
  const type = { apiVersion: formatApiVersion(resource.group, resource.version), kind: resource.kind };
  return { ...list, items: items.map((item) => ({ ...type, ...item })) };
}

function nameOf(object: KubeObject): string {
  const { name } = object.metadata;
  if (name === undefined || name === "") throw new TypeError(`a ${object.kind} to be written needs metadata.name`);
  return name;
}

const namespaceOf = (resource: Resource, object: KubeObject): string =>
  resource.namespaced ? (object.metadata.namespace ?? "") : "";

function deleteBody(options: DeleteOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
  if (gracePeriodSeconds === undefined && propagationPolicy === undefined && preconditions === undefined)
    return undefined;
  return { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds, propagationPolicy, preconditions };
}

/** Makes a client of any transport: HTTPS to a real server, or straight into the embedded one. */
export function createKubeClient(transport: Transport): KubeClient {
  // The server answers with the resource asked for, so its type is the caller's.
  const send = async <T>(request: ApiRequest): Promise<T> => (await transport.call(request)).body as T;
  return {
    transport,
    get: (resource, namespace, name, options = {}) =>
      send({
        method: "GET",
        path: resourcePath(resource, namespace, name, options.subresource),
        signal: options.signal,
      }),
    list: async <T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) => {
      const list = await send<KubeList<T>>({
        method: "GET",
        path: resourcePath(resource, options.namespace ?? ""),
        query: listQuery(options),
        signal: options.signal,
      });
      return typedItems(resource, list);
    },
    watch: (resource, options) =>
      transport.watch({
        method: "GET",
        path: resourcePath(resource, options.namespace ?? ""),
        query: {
          ...listQuery(options),
          watch: "true",
          allowWatchBookmarks: "true",
          ...(options.sendInitialEvents === true
            ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" }
            : {}),
          ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: String(options.timeoutSeconds) }),
        },
        signal: options.signal,
      }),
    create: (resource, object, options = {}) =>
      send({
        method: "POST",
        path: resourcePath(resource, namespaceOf(resource, object)),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      }),
    update: (resource, object, options = {}) =>
      send({
        method: "PUT",
        path: resourcePath(resource, namespaceOf(resource, object), nameOf(object), options.subresource),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      }),
    patch: (resource, namespace, name, type, patch, options = {}) =>
      send({
        method: "PATCH",
        path: resourcePath(resource, namespace, name, options.subresource),
        query: writeQuery(options),
        body: patch,
        contentType: type,
        signal: options.signal,
      }),
    apply: (resource, object, options) =>
      send({
        method: "PATCH",
        path: resourcePath(resource, namespaceOf(resource, object), nameOf(object), options.subresource),
        query: { ...writeQuery(options), force: options.force === true ? "true" : undefined },
        body: object,
        contentType: "application/apply-patch+yaml",
        signal: options.signal,
      }),
    delete: async (resource, namespace, name, options = {}) => {
      await transport.call({
        method: "DELETE",
        path: resourcePath(resource, namespace, name),
        query: { dryRun: options.dryRun === true ? "All" : undefined },
        body: deleteBody(options),
        signal: options.signal,
      });
    },
    createSubresource: (resource, namespace, name, subresource, body) =>
      send({ method: "POST", path: resourcePath(resource, namespace, name, subresource), body }),
  };
}
