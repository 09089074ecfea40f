/** Watches: the history since a revision, or all there is now, then everything that happens. */
import { expired, notFound, resourceVersionTooLarge, type StatusError } from "@travelops/kube";
import { Compacted, type StoredObject } from "../../store/store.ts";
import type { ApiCall } from "../request/api-call.ts";
import { PROTOBUF, requireStream } from "../request/negotiation.ts";
import { parseListOptions, cachedVersion, type ListOptions } from "../request/list-options.ts";
import { LazyEncoded, type EncodedFrame, type Reply, type WatchSink } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { hasNoCache, type ServedResource } from "../registry/registry.ts";
import { selectionOf } from "../registry/selection.ts";
import type { ServerCore } from "../server-options.ts";
import { frameOf } from "../watch/frames.ts";
import type { WatchShape, WatchSpec } from "../watch/watch-hub.ts";
import { presenterOf, watchShape, withColumns } from "./presentation.ts";

const BOOKMARK_EVERY_MS = 60_000;
const SHORTEST_TIMEOUT_S = 1800;

type Start =
  | { readonly kind: "now"; readonly initialEvents: boolean; readonly annotate: boolean }
  | { readonly kind: "after"; readonly revision: number };

function startOf(core: ServerCore, options: ListOptions): Start {
  const wanted = cachedVersion(options.resourceVersion);
  if (options.sendInitialEvents !== undefined) {
    if (wanted > core.store.revision) throw resourceVersionTooLarge(wanted, core.store.revision);
    if (options.sendInitialEvents) return { kind: "now", initialEvents: true, annotate: true };
    return wanted === 0 ? { kind: "now", initialEvents: false, annotate: false } : { kind: "after", revision: wanted };
  }
  return wanted === 0 ? { kind: "now", initialEvents: true, annotate: false } : { kind: "after", revision: wanted };
}

function initialObjects(core: ServerCore, spec: WatchSpec): readonly StoredObject[] {
  if (spec.name !== undefined && spec.namespace !== "") {
    const one = core.store.get({ table: spec.table, namespace: spec.namespace, name: spec.name });
    return one === undefined || spec.matches?.(one) === false ? [] : [one];
  }
  const { items } = core.store.list(spec.table, { namespace: spec.namespace });
  if (spec.name === undefined && spec.matches === undefined) return items;
  return items.filter(
    (item) => (spec.name === undefined || item.key.name === spec.name) && (spec.matches?.(item) ?? true),
  );
}

const errorFrame = (error: StatusError): EncodedFrame => frameOf("ERROR", new LazyEncoded(error.status));

/** Sends what the watch starts with; returns false when it cannot start and has been ended with an ERROR. */
function sendStart(core: ServerCore, spec: WatchSpec, start: Start, options: ListOptions, sink: WatchSink): boolean {
  if (start.kind === "after") {
    try {
      const history = core.watches.history(spec, start.revision);
      if (history.length > 0) sink.send(history);
      return true;
    } catch (error) {
      if (!(error instanceof Compacted)) throw error;
      const told = hasNoCache(spec.table)
        ? "The resourceVersion for the provided watch is too old."
        : `too old resource version: ${start.revision} (${error.oldest})`;
      sink.send([errorFrame(expired(told))]);
      sink.end();
      return false;
    }
  }
  const frames: EncodedFrame[] = [];
  if (start.initialEvents) {
    for (const stored of initialObjects(core, spec)) frames.push(spec.shape.frame("ADDED", stored));
    if (start.annotate && options.allowWatchBookmarks) frames.push(spec.shape.bookmark(core.store.revision, true));
  }
  if (frames.length > 0) sink.send(frames);
  return true;
}

function columnsFirst(resource: ServedResource, sink: WatchSink): WatchSink {
  let first = true;
  return {
    send(frames) {
      const [head, ...rest] = frames;
      if (!first || head === undefined) return sink.send(frames);
      first = false;
      sink.send([withColumns(resource, head), ...rest]);
    },
    get backlog() {
      return sink.backlog;
    },
    end: () => sink.end(),
    destroy: (reason) => sink.destroy(reason),
  };
}

/** Stands between the events and their watcher. */
export interface WatchAdapter {
  shape(shape: WatchShape): WatchShape;
  /** `matches` is what the watcher selects by fields of its own version. */
  sink(sink: WatchSink, matches: ((stored: StoredObject) => boolean) | undefined): WatchSink;
}

export function handleWatch(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
  adapter?: WatchAdapter,
): Reply {
  const presenter = presenterOf(call, resource, true);
  requireStream(presenter.presentation);
  const options = parseListOptions(call.query, true);
  const selection = selectionOf(resource, options.labelSelector, options.fieldSelector);
  const start = startOf(core, options);
  if (info.name !== "" && selection.name !== undefined && selection.name !== info.name) {
    throw notFound(resource.groupResource, info.name);
  }
  const { matches } = selection;
  const elsewhere =
    info.namespace !== "" && selection.namespace !== undefined && selection.namespace !== info.namespace;
  const selects = matches === undefined ? undefined : (stored: StoredObject) => matches(stored.lean ?? stored.object);
  // Fields are those of the version asked for: whoever adapts the events selects by them.
  const adapted = adapter !== undefined && options.fieldSelector !== "" && !elsewhere;
  const shape = watchShape(core, resource, presenter);
  const spec: WatchSpec = {
    table: resource.table,
    namespace: selection.namespace ?? info.namespace,
    name: info.name === "" ? selection.name : info.name,
    matches: elsewhere ? () => false : adapted ? undefined : selects,
    filterKey: elsewhere ? `nothing\u0000${selection.key}` : adapted ? "" : selection.key,
    shape: adapter === undefined ? shape : adapter.shape(shape),
  };
  const seconds = options.timeoutSeconds ?? Math.floor(SHORTEST_TIMEOUT_S * (1 + core.random()));
  return {
    kind: "watch",
    protobuf: presenter.presentation.mediaType === PROTOBUF,
    open: (target) => {
      const shown = presenter.presentation.form === "Table" ? columnsFirst(resource, target) : target;
      const sink = adapter === undefined ? shown : adapter.sink(shown, adapted ? selects : undefined);
      return openWatch(core, spec, start, options, Math.max(seconds, 0), sink);
    },
  };
}

function openWatch(
  core: ServerCore,
  spec: WatchSpec,
  start: Start,
  options: ListOptions,
  seconds: number,
  sink: WatchSink,
): () => void {
  if (!sendStart(core, spec, start, options, sink)) return () => {};
  const leave = core.watches.join(spec, sink);
  const bookmark = (): void => {
    if (options.allowWatchBookmarks) sink.send([spec.shape.bookmark(core.store.revision, false)]);
  };
  let cancelBookmark = (): void => {};
  const scheduleBookmark = (): void => {
    cancelBookmark = core.clock.setTimeout(() => {
      bookmark();
      scheduleBookmark();
    }, BOOKMARK_EVERY_MS);
  };
  if (options.allowWatchBookmarks) scheduleBookmark();
  const cancelTimeout = core.clock.setTimeout(() => {
    bookmark();
    sink.end();
  }, seconds * 1000);
  return () => {
    cancelBookmark();
    cancelTimeout();
    leave();
  };
}
