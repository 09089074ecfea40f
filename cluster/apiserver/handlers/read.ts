/** GET of one object and of collections. */
import { badRequest, expired, notFound, resourceVersionTooLarge, StatusError } from "@travelops/kube";
import { Compacted, type ListResult, type StoredObject } from "../../store/store.ts";
import type { ApiCall } from "../request/api-call.ts";
import { decodeContinue, encodeContinue } from "../request/continue-token.ts";
import { cachedVersion, listVersion, parseListOptions, type ListOptions } from "../request/list-options.ts";
import type { Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { EVERYTHING, selectionOf, type Selection } from "../registry/selection.ts";
import { hasNoCache, type ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { presentList, presentStored, presenterOf } from "./presentation.ts";

/** The stored object a request names. Throws `StatusError` 404. */
export function requireStored(core: ServerCore, resource: ServedResource, info: ResourceRequest): StoredObject {
  const stored = core.store.get({ table: resource.table, namespace: info.namespace, name: info.name });
  if (stored === undefined) throw notFound(resource.groupResource, info.name);
  return stored;
}

/** The first page of any version is the whole list: upstream's cache gives what it has at once. */
const limitOf = (resource: ServedResource, options: ListOptions): number =>
  options.resourceVersion === "0" && options.continueToken === "" && !hasNoCache(resource.table) ? 0 : options.limit;

export function handleGet(core: ServerCore, call: ApiCall, info: ResourceRequest, resource: ServedResource): Reply {
  const given = call.query.get("resourceVersion") ?? "";
  const wanted = hasNoCache(resource.table) ? listVersion(given) : cachedVersion(given);
  if (wanted > core.store.revision) throw resourceVersionTooLarge(wanted, core.store.revision);
  return presentStored(core, call, resource, requireStored(core, resource, info));
}

const TOO_OLD_CONTINUE =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
  "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
  "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
  "deleted between the time the first chunk was returned and now may show up in the list.";

interface Page {
  readonly after: { readonly namespace: string; readonly name: string } | undefined;
  /** Undefined: the latest. */
  readonly revision: number | undefined;
}

/** Says which parameter a 400 is about. */
function prefixed<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof StatusError ? badRequest(prefix + error.message) : error;
  }
}

function pageOf(core: ServerCore, options: ListOptions, namespace: string): Page {
  const current = core.store.revision;
  if (options.continueToken !== "") {
    const token = prefixed("invalid continue token: ", () => decodeContinue(options.continueToken, namespace));
    if (options.resourceVersion !== "" && options.resourceVersion !== "0") {
      throw badRequest("specifying resource version is not allowed when using continue");
    }
    if (token.revision > current) throw resourceVersionTooLarge(token.revision, current, 0);
    return { after: token.after, revision: token.revision < 0 ? undefined : token.revision };
  }
  const wanted = listVersion(options.resourceVersion);
  const legacyExact = options.resourceVersionMatch === "" && options.limit > 0 && wanted > 0;
  const exact = options.resourceVersionMatch === "Exact" || legacyExact;
  if (wanted > current) throw resourceVersionTooLarge(wanted, current, exact ? 0 : 1);
  return { after: undefined, revision: exact ? wanted : undefined };
}

interface Selected {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  readonly more: boolean;
  /** Undefined where a selector makes it unknown. */
  readonly remaining: number | undefined;
}

function select(
  core: ServerCore,
  table: string,
  namespace: string,
  limit: number,
  page: Page,
  selection: Selection,
): Selected {
  const range = {
    namespace,
    ...(page.after === undefined ? {} : { after: page.after }),
    ...(page.revision === undefined ? {} : { revision: page.revision }),
  };
  if (selection.name !== undefined && namespace !== "" && page.revision === undefined && page.after === undefined) {
    const one = core.store.get({ table, namespace, name: selection.name });
    const items = one === undefined || selection.matches?.(one.lean ?? one.object) === false ? [] : [one];
    return { items, revision: core.store.revision, more: false, remaining: undefined };
  }
  const { matches, name } = selection;
  if (matches === undefined && name === undefined) {
    const result: ListResult = core.store.list(table, limit > 0 ? { ...range, limit } : range);
    return { items: result.items, revision: result.revision, more: result.remaining > 0, remaining: result.remaining };
  }
  const result = core.store.list(table, range);
  const items = result.items.filter(
    (item) =>
      (name === undefined || item.key.name === name) && (matches === undefined || matches(item.lean ?? item.object)),
  );
  const more = limit > 0 && items.length > limit;
  return { items: more ? items.slice(0, limit) : items, revision: result.revision, more, remaining: undefined };
}

export function handleList(core: ServerCore, call: ApiCall, info: ResourceRequest, resource: ServedResource): Reply {
  const presenter = presenterOf(call, resource, true);
  const options = parseListOptions(call.query, false);
  const selection = selectionOf(resource, options.labelSelector, options.fieldSelector);
  if (info.namespace !== "" && selection.namespace !== undefined && selection.namespace !== info.namespace) {
    return presentList(core, resource, [], { resourceVersion: String(core.store.revision) }, presenter);
  }
  const namespace = selection.namespace ?? info.namespace;
  const page = pageOf(core, options, namespace);
  const selected = selectOrExpire(core, resource, namespace, options, page, selection);
  const last = selected.items.at(-1);
  const metadata = {
    resourceVersion: String(selected.revision),
    ...(selected.more && last !== undefined
      ? { continue: encodeContinue({ revision: selected.revision, after: last.key }, namespace !== "") }
      : {}),
    ...(selected.more && selected.remaining !== undefined ? { remainingItemCount: selected.remaining } : {}),
  };
  return presentList(core, resource, selected.items, metadata, presenter);
}

function selectOrExpire(
  core: ServerCore,
  resource: ServedResource,
  namespace: string,
  options: ListOptions,
  page: Page,
  selection: Selection,
): Selected {
  try {
    return select(core, resource.table, namespace, limitOf(resource, options), page, selection);
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
    if (page.after === undefined) throw expired("The resourceVersion for the provided list is too old.");
    throw expired(TOO_OLD_CONTINUE, encodeContinue({ revision: -1, after: page.after }, namespace !== ""));
  }
}

/** Everything a collection request selects, at the latest revision (deletecollection). */
export function selectAll(
  core: ServerCore,
  info: ResourceRequest,
  resource: ServedResource,
  options: ListOptions,
): readonly StoredObject[] {
  const selection =
    options.labelSelector === "" && options.fieldSelector === ""
      ? EVERYTHING
      : selectionOf(resource, options.labelSelector, options.fieldSelector);
  const page = pageOf(core, options, info.namespace);
  return selectOrExpire(core, resource, info.namespace, options, page, selection).items;
}
