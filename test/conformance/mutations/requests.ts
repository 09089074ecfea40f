/** What a mutated object is sent as. Everything is a dry run: the object before stays what it was. */
import type { ApiRequest } from "@travelops/kube";
import type { JsonObject } from "@travelops/kube/schema/json-value";
import { isObject } from "@travelops/kube/schema/json-value";
import { type Mutation, type Path, valueAt } from "./mutate.ts";

export const VERBS = ["create", "update", "status", "table", "apply", "strategic"] as const;
export type Verb = (typeof VERBS)[number];

const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
/** Names that follow from what the object is. */
const SELF_NAMED: ReadonlySet<unknown> = new Set(["CustomResourceDefinition", "APIService", "IPAddress"]);

/** A new object of another name, unless the mutation took the name away. */
function renamed(object: JsonObject): JsonObject {
  const { metadata } = object;
  if (!isObject(metadata) || SELF_NAMED.has(object["kind"])) return object;
  const { name } = metadata;
  return typeof name === "string" ? { ...object, metadata: { ...metadata, name: `${name}2` } } : object;
}

const MERGE_KEYS = [
  "name",
  "containerPort",
  "protocol",
  "mountPath",
  "port",
  "key",
  "type",
  "topologyKey",
  "ip",
  "uid",
];

/** The mutated value alone, in what has to stand around it; items of lists with what names them. */
function partOf({ object, path }: Mutation): unknown {
  let part = valueAt(object, path);
  for (let at = path.length - 1; at >= 0; at--) {
    const [key, holder] = [path[at], path.slice(0, at) as Path];
    if (typeof key === "number") part = [part];
    else {
      const item = valueAt(object, holder);
      const isItem = typeof holder.at(-1) === "number" && isObject(item);
      const keys = isItem ? MERGE_KEYS.filter((name) => Object.hasOwn(item, name)) : [];
      part = { ...Object.fromEntries(keys.map((name) => [name, (item as JsonObject)[name]])), [String(key)]: part };
    }
  }
  return part;
}

/** `collection` and `name` say where the object before stands. Undefined where the verb cannot say the mutation. */
export function requestOf(verb: Verb, mutation: Mutation, collection: string, name: string): ApiRequest | undefined {
  const path = `${collection}/${name}`;
  const query = { dryRun: "All", fieldManager: "mutations" };
  const body = structuredClone(mutation.object);
  switch (verb) {
    case "create":
      return { method: "POST", path: collection, query, body: renamed(body) };
    case "update":
      return { method: "PUT", path, query, body };
    case "status":
      return { method: "PUT", path: `${path}/status`, query, body };
    case "table":
      return {
        method: "PUT",
        path: `${path}/status`,
        query: { ...query, includeObject: "None" },
        headers: TABLE,
        body,
      };
    case "apply":
      return {
        method: "PATCH",
        path,
        query: { ...query, fieldManager: "other", force: "true" },
        contentType: "application/apply-patch+yaml",
        body,
      };
    case "strategic":
      if (mutation.name === "gone") return undefined;
      return {
        method: "PATCH",
        path,
        query,
        contentType: "application/strategic-merge-patch+json",
        body: structuredClone(partOf(mutation)),
      };
  }
}
