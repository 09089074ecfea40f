/** What expressions of admission know of `request` and `namespaceObject`. */
import type { CelType } from "./sizes.ts";
import { DYN } from "./type-rules.ts";

const GROUP_KIND = { group: "string", version: "string", kind: "string" };
const GROUP_RESOURCE = { group: "string", version: "string", resource: "string" };

/** For the checker. */
export const REQUEST = {
  kind: GROUP_KIND,
  resource: GROUP_RESOURCE,
  subResource: "string",
  requestKind: GROUP_KIND,
  requestResource: GROUP_RESOURCE,
  requestSubResource: "string",
  name: "string",
  namespace: "string",
  operation: "string",
  userInfo: { username: "string", uid: "string", groups: "list<string>", extra: "map<string, list<string>>" },
  dryRun: "bool",
  options: "dyn",
};

const TEXT: CelType = { kind: "string" };
const TEXTS: CelType = { kind: "list", element: TEXT };
const map = (element: CelType): CelType => ({ kind: "map", key: TEXT, element });
const struct = (fields: Readonly<Record<string, CelType>>): CelType => ({
  kind: "struct",
  fields: new Map(Object.entries(fields)),
});
const texts = (...names: readonly string[]): Record<string, CelType> =>
  Object.fromEntries(names.map((name) => [name, TEXT]));

const KIND = struct(texts("group", "version", "kind"));
const RESOURCE = struct(texts("group", "version", "resource"));

/** For costs. */
export const REQUEST_TYPE: CelType = struct({
  ...texts("subResource", "requestSubResource", "name", "namespace", "operation"),
  kind: KIND,
  resource: RESOURCE,
  requestKind: KIND,
  requestResource: RESOURCE,
  userInfo: struct({ ...texts("username", "uid"), groups: TEXTS, extra: map(TEXTS) }),
  dryRun: { kind: "bool" },
  options: DYN,
});

export const NAMESPACE_TYPE: CelType = struct({
  metadata: struct({
    ...texts("name", "generateName", "namespace", "uid", "resourceVersion"),
    generation: { kind: "int" },
    creationTimestamp: { kind: "timestamp" },
    deletionTimestamp: { kind: "timestamp" },
    deletionGracePeriodSeconds: { kind: "int" },
    labels: map(TEXT),
    annotations: map(TEXT),
    finalizers: TEXTS,
  }),
  spec: struct({ finalizers: TEXTS }),
  status: struct(texts("phase")),
});
