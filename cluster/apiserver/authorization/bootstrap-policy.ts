/** The roles and bindings every cluster starts with, as upstream has them, written where they are missing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import type { Clock } from "@travelops/kube/api/clock";
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { Store, StoredObject } from "../../store/store.ts";

const API = "rbac.authorization.k8s.io";
const AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate";
const ACTOR = { user: "system:apiserver", verb: "create" };

/** Words separated by spaces; `core` is the group without a name. */
interface RuleRow {
  readonly verbs: string;
  readonly groups?: string;
  readonly resources?: string;
  readonly names?: string;
  readonly paths?: string;
}

interface RoleRow {
  readonly rules?: readonly RuleRow[];
  /** Counts towards the aggregated role of this name. */
  readonly aggregateTo?: string;
  /** Gathers the roles that count towards it. */
  readonly aggregates?: boolean;
}

interface BindingRow {
  readonly role: string;
  readonly subjects: readonly string[];
}

interface PolicyFile {
  readonly clusterRoles: Readonly<Record<string, RoleRow>>;
  readonly clusterRoleBindings: Readonly<Record<string, BindingRow>>;
  readonly roles: Readonly<Record<string, RoleRow>>;
  readonly roleBindings: Readonly<Record<string, BindingRow>>;
}

/**
 * Writes what is missing. A role or binding that is there keeps what was added to it and gets back the rules and
 * subjects it lost, unless its annotation `rbac.authorization.kubernetes.io/autoupdate` is "false".
 * Roles in a namespace are written whether or not the namespace exists yet.
 */
export async function bootstrapPolicy(store: Store, clock: Clock, uuid: () => string): Promise<void> {
  const writes = bootstrapObjects().map(async ([table, object]) => {
    const { namespace = "", name = "" } = object.metadata;
    const key = { table: `${table}.${API}`, namespace, name };
    const current = store.get(key);
    if (current !== undefined && reconciled(current.object, object) === undefined) return;
    await store.write(key, ACTOR, (staged: StoredObject | undefined) => {
      if (staged === undefined) return { op: "put", object: created(object, clock, uuid) };
      const next = reconciled(staged.object, object);
      return next === undefined ? { op: "none" } : { op: "put", object: next };
    });
  });
  await Promise.all(writes);
}

function created(object: KubeObject, clock: Clock, uuid: () => string): KubeObject {
  return {
    ...object,
    metadata: { ...object.metadata, uid: uuid(), creationTimestamp: formatTime(clock.now()) },
  };
}

/** `live` with what it lacks of `wanted`; undefined when it lacks nothing. */
function reconciled(live: KubeObject, wanted: KubeObject): KubeObject | undefined {
  if (live.metadata.annotations?.[AUTO_UPDATE] === "false") return undefined;
  const missing: Record<string, unknown> = {};
  const aggregated = wanted["aggregationRule"] !== undefined;
  for (const field of aggregated ? [] : ["rules", "subjects"]) {
    // As a rule nobody has touched them.
    if (JSON.stringify(live[field]) === JSON.stringify(wanted[field])) continue;
    const have = new Set(listIn(live, field).map(canonical));
    const lost = listIn(wanted, field).filter((item) => !have.has(canonical(item)));
    if (lost.length > 0) missing[field] = [...listIn(live, field), ...lost];
  }
  return Object.keys(missing).length === 0 ? undefined : { ...live, ...missing };
}

const listIn = (object: KubeObject, field: string): readonly object[] => (object[field] as object[] | undefined) ?? [];

/** Whoever writes an object may order its fields anew. */
const canonical = (item: object): string => JSON.stringify(item, Object.keys(item).toSorted());

/** Every object of the policy, with the plural of its kind. */
function bootstrapObjects(): readonly (readonly [table: string, object: KubeObject])[] {
  const file = JSON.parse(readFileSync(join(import.meta.dirname, "bootstrap-policy.json"), "utf8")) as PolicyFile;
  const objects: [string, KubeObject][] = [];
  for (const [name, row] of Object.entries(file.clusterRoles))
    objects.push(["clusterroles", clusterRole(name, row, file.clusterRoles)]);
  for (const [path, row] of Object.entries(file.roles))
    objects.push(["roles", { ...base("Role", path), rules: (row.rules ?? []).map(rule) }]);
  for (const [name, row] of Object.entries(file.clusterRoleBindings))
    objects.push(["clusterrolebindings", binding("ClusterRoleBinding", name, "ClusterRole", row.role, row.subjects)]);
  for (const [path, row] of Object.entries(file.roleBindings)) {
    const [kind = "", role = ""] = row.role.split(" ");
    objects.push(["rolebindings", binding("RoleBinding", path, kind, role, row.subjects)]);
  }
  return objects;
}

function base(kind: string, path: string, labels: Record<string, string> = {}): KubeObject {
  const slash = path.indexOf("/");
  const place = slash < 0 ? { name: path } : { namespace: path.slice(0, slash), name: path.slice(slash + 1) };
  return {
    apiVersion: `${API}/v1`,
    kind,
    metadata: {
      ...place,
      labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels },
      annotations: { [AUTO_UPDATE]: "true" },
    },
  };
}

function clusterRole(name: string, row: RoleRow, all: PolicyFile["clusterRoles"]): KubeObject {
  const label = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`;
  const object = base("ClusterRole", name, row.aggregateTo === undefined ? {} : { [label(row.aggregateTo)]: "true" });
  const rules = rulesOf(name, all);
  if (row.aggregates !== true) return { ...object, rules };
  return {
    ...object,
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label(name)]: "true" } }] },
    rules,
  };
}

function rulesOf(name: string, all: PolicyFile["clusterRoles"]): PolicyRule[] {
  const row = all[name];
  if (row?.aggregates !== true) return (row?.rules ?? []).map(rule);
  return Object.entries(all).flatMap(([part, { aggregateTo }]) => (aggregateTo === name ? rulesOf(part, all) : []));
}

function rule(row: RuleRow): PolicyRule {
  const words = (text: string): string[] => text.split(" ");
  return {
    verbs: words(row.verbs),
    ...(row.groups === undefined
      ? {}
      : { apiGroups: words(row.groups).map((group) => (group === "core" ? "" : group)) }),
    ...(row.resources === undefined ? {} : { resources: words(row.resources) }),
    ...(row.names === undefined ? {} : { resourceNames: words(row.names) }),
    ...(row.paths === undefined ? {} : { nonResourceURLs: words(row.paths) }),
  };
}

function binding(kind: string, path: string, roleKind: string, role: string, subjects: readonly string[]): KubeObject {
  return {
    ...base(kind, path),
    roleRef: { apiGroup: API, kind: roleKind, name: role },
    subjects: subjects.map(subject),
  };
}

function subject(text: string): object {
  const space = text.indexOf(" ");
  const kind = text.slice(0, space);
  const name = text.slice(space + 1);
  if (kind !== "ServiceAccount") return { kind, apiGroup: API, name };
  const [namespace = "", account = ""] = name.split("/");
  return { kind, name: account, namespace };
}
