/** Brings stored objects into the form that was negotiated: themselves, a table, or their metadata. */
import { notAcceptable, StatusError, type KubeObject } from "@travelops/kube";
import type { StoredObject } from "../../store/store.ts";
import { header, type ApiCall } from "../request/api-call.ts";
import { BUILTIN, CUSTOM, negotiate, type Presentation } from "../request/negotiation.ts";
import { LazyEncoded, type EncodedFrame, type Encoded, type Reply } from "../request/reply.ts";
import { viewOf, type ServedResource } from "../registry/registry.ts";
import { parseIncludeObject, partialMetadata, tableOf, type IncludeObject } from "../registry/tables.ts";
import type { ServerCore } from "../server-options.ts";
import { frameOf } from "../watch/frames.ts";
import type { WatchShape } from "../watch/watch-hub.ts";

export interface Presenter {
  readonly presentation: Presentation;
  readonly include: IncludeObject;
}

/** Negotiates the form of an answer. Throws `StatusError` 406 or 400. `collection`: of a list or a watch. */
export function presenterOf(call: ApiCall, resource: ServedResource, collection = false): Presenter {
  const offer = resource.origin === "custom" ? CUSTOM : BUILTIN;
  const presentation = negotiate(header(call.headers, "accept"), offer, collection);
  return { presentation, include: presentation.form === "Table" ? parseIncludeObject(call.query) : "Metadata" };
}

/** The type upstream holds a kind's objects in, as its refusals name it. */
function goType({ row }: ServedResource, kind: string): string {
  const name = row.group === "" || row.group === "events.k8s.io" ? "core" : row.group.replace(/\..*/, "");
  return `*${name}.${kind}`;
}

function noList(resource: ServedResource): StatusError {
  if (resource.origin === "custom") return new StatusError(500, "", "content is not a list");
  const type = goType(resource, resource.row.kind);
  return notAcceptable(`you requested PartialObjectMetadataList, but the requested object is not a list (${type})`);
}

function isList(resource: ServedResource): StatusError {
  const type =
    resource.origin === "custom" ? "*unstructured.UnstructuredList" : goType(resource, resource.row.listKind);
  return notAcceptable(`you requested PartialObjectMetadata, but the requested object is a list (${type})`);
}

function present(core: ServerCore, resource: ServedResource, view: Encoded, presenter: Presenter): Encoded {
  const { presentation, include } = presenter;
  if (presentation.form === "object") return view;
  const object = view.object as KubeObject;
  if (presentation.form === "PartialObjectMetadataList") throw noList(resource);
  if (presentation.form === "PartialObjectMetadata") {
    return new LazyEncoded(partialMetadata(object, presentation.metaVersion));
  }
  const metadata = { resourceVersion: object.metadata.resourceVersion ?? "" };
  const style = { metaVersion: presentation.metaVersion, include, columns: true };
  return new LazyEncoded(tableOf(resource, [object], metadata, style, core.clock.now()));
}

/** The answer that holds one stored object. */
export function presentStored(
  core: ServerCore,
  call: ApiCall,
  resource: ServedResource,
  stored: StoredObject,
  code = 200,
): Reply {
  return {
    kind: "object",
    code,
    value: present(core, resource, viewOf(resource, stored), presenterOf(call, resource)),
  };
}

/** The answer that holds an object which is not stored (dry run). */
export function presentObject(
  core: ServerCore,
  call: ApiCall,
  resource: ServedResource,
  object: KubeObject,
  code = 200,
): Reply {
  const converted = resource.fromStorage === undefined ? object : resource.fromStorage(object);
  return {
    kind: "object",
    code,
    value: present(core, resource, new LazyEncoded(converted), presenterOf(call, resource)),
  };
}

export interface ListMetadata {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** The answer that holds a list. */
export function presentList(
  core: ServerCore,
  resource: ServedResource,
  items: readonly StoredObject[],
  metadata: ListMetadata,
  presenter: Presenter,
): Reply {
  const { presentation, include } = presenter;
  const { row } = resource;
  const apiVersion = row.group === "" ? row.version : `${row.group}/${row.version}`;
  switch (presentation.form) {
    case "object": {
      const envelope = { kind: row.listKind, apiVersion, metadata };
      const views = items.map((item) => viewOf(resource, item));
      return resource.origin === "custom"
        ? { kind: "list", envelope, items: views }
        : { kind: "list", envelope, items: views, untyped: { apiVersion, kind: row.kind } };
    }
    case "PartialObjectMetadata":
      throw isList(resource);
    case "PartialObjectMetadataList": {
      const envelope = {
        kind: "PartialObjectMetadataList",
        apiVersion: `meta.k8s.io/${presentation.metaVersion}`,
        metadata,
      };
      return {
        kind: "list",
        envelope,
        items: items.map(
          (item) => new LazyEncoded(partialMetadata(viewOf(resource, item).object, presentation.metaVersion)),
        ),
      };
    }
    case "Table": {
      const objects = items.map((item) => viewOf(resource, item).object);
      const style = { metaVersion: presentation.metaVersion, include, columns: true };
      const table = tableOf(resource, objects, { ...metadata }, style, core.clock.now());
      return { kind: "object", code: 200, value: new LazyEncoded(table) };
    }
  }
}

/** How a watch shows its objects. */
export function watchShape(core: ServerCore, resource: ServedResource, presenter: Presenter): WatchShape {
  const { row } = resource;
  const apiVersion = row.group === "" ? row.version : `${row.group}/${row.version}`;
  const { presentation, include } = presenter;
  const encode = (stored: StoredObject): Encoded => {
    const view = viewOf(resource, stored);
    switch (presentation.form) {
      case "object":
        return view;
      case "PartialObjectMetadata":
      case "PartialObjectMetadataList":
        return new LazyEncoded(partialMetadata(view.object, presentation.metaVersion));
      case "Table": {
        const style = { metaVersion: presentation.metaVersion, include, columns: false };
        const metadata = { resourceVersion: view.object.metadata.resourceVersion ?? "" };
        return new LazyEncoded(tableOf(resource, [view.object], metadata, style, core.clock.now()));
      }
    }
  };
  const bookmark = (revision: number, initialEventsEnd: boolean): EncodedFrame => {
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
    };
    const object = { kind: row.kind, apiVersion, metadata };
    switch (presentation.form) {
      case "object":
        return frameOf("BOOKMARK", new LazyEncoded(object));
      case "PartialObjectMetadata":
      case "PartialObjectMetadataList":
        return frameOf("BOOKMARK", new LazyEncoded(partialMetadata(object, presentation.metaVersion)));
      case "Table": {
        const style = { metaVersion: presentation.metaVersion, include, columns: false };
        const table = tableOf(resource, [object], { resourceVersion: String(revision) }, style, core.clock.now());
        return frameOf("BOOKMARK", new LazyEncoded(table));
      }
    }
  };
  const key = `${apiVersion}/${presentation.form}/${presentation.metaVersion}/${include}/${registrationOf(resource)}`;
  return { key, frame: (type, stored) => frameOf(type, encode(stored)), bookmark };
}

let registrations = 0;
const registered = new WeakMap<ServedResource, number>();

/** Tells apart two states of one custom resource: its schema and columns may have changed between two watches. */
function registrationOf(resource: ServedResource): number {
  let id = registered.get(resource);
  if (id === undefined) registered.set(resource, (id = ++registrations));
  return id;
}

/** The first event of a table watch says what the columns are. */
export function withColumns(resource: ServedResource, frame: EncodedFrame): EncodedFrame {
  const printer = resource.strategy.printer;
  const table = { ...(frame.object as Record<string, unknown>), columnDefinitions: printer?.columns ?? [] };
  return frameOf(frame.type, new LazyEncoded(table));
}
