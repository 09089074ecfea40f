/** Roles and bindings in memory, kept by watching the store: an authorization is a few map look-ups. */
import type { KubeObject } from "@travelops/kube";
import type { ClusterRole, PolicyRule, Role, RoleBinding } from "@travelops/kube/api/types/cluster";
import { selects } from "@travelops/kube/client/selectors";
import type { Store, StoreEvent } from "../../store/store.ts";
import type { UserInfo } from "../api-server.ts";

const GROUP = "rbac.authorization.k8s.io";

/** One subject of one binding. */
export interface Grant {
  readonly binding: KubeObject;
  readonly roleKind: string;
  readonly roleName: string;
  readonly subject: string;
}

type GrantsBySubject = Map<string, Grant[]>;

export class RbacIndex {
  readonly #roles = new Map<string, Role>();
  readonly #clusterRoles = new Map<string, ClusterRole>();
  /** By namespace; "" holds the ClusterRoleBindings. */
  readonly #grants = new Map<string, GrantsBySubject>();
  /** Rules of aggregated ClusterRoles; emptied whenever a ClusterRole changes. */
  readonly #aggregated = new Map<string, readonly PolicyRule[]>();
  readonly #stops: (() => void)[] = [];

  constructor(store: Store) {
    this.#follow(store, "roles", (name, object) => setOrDelete(this.#roles, name, object as Role | undefined));
    this.#follow(store, "clusterroles", (name, object) => {
      this.#aggregated.clear();
      setOrDelete(this.#clusterRoles, name.slice(1), object as ClusterRole | undefined);
    });
    for (const resource of ["rolebindings", "clusterrolebindings"]) {
      this.#follow(store, resource, (_name, object, previous) => {
        if (previous !== undefined) this.#unbind(previous as RoleBinding);
        if (object !== undefined) this.#bind(object as RoleBinding);
      });
    }
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #follow(
    store: Store,
    resource: string,
    set: (name: string, object: KubeObject | undefined, previous: KubeObject | undefined) => void,
  ): void {
    const table = `${resource}.${GROUP}`;
    const { items, revision } = store.list(table);
    for (const { key, object } of items) set(`${key.namespace}/${key.name}`, object, undefined);
    const onEvent = ({ type, object, previous }: StoreEvent): void =>
      set(
        `${object.key.namespace}/${object.key.name}`,
        type === "delete" ? undefined : object.object,
        previous?.object,
      );
    this.#stops.push(store.watch(table, revision, onEvent));
  }

  #bind(binding: RoleBinding): void {
    const namespace = binding.metadata.namespace ?? "";
    let subjects = this.#grants.get(namespace);
    if (subjects === undefined) this.#grants.set(namespace, (subjects = new Map()));
    for (const subject of subjectsOf(binding)) {
      const grants = subjects.get(subject) ?? [];
      grants.push({ binding, roleKind: binding.roleRef.kind, roleName: binding.roleRef.name, subject });
      subjects.set(subject, grants);
    }
  }

  #unbind(binding: RoleBinding): void {
    const subjects = this.#grants.get(binding.metadata.namespace ?? "");
    for (const subject of subjectsOf(binding)) {
      const rest = (subjects?.get(subject) ?? []).filter(
        (grant) => grant.binding.metadata.name !== binding.metadata.name,
      );
      if (rest.length > 0) subjects?.set(subject, rest);
      else subjects?.delete(subject);
    }
  }

  /** What a user was granted: everywhere, then in one namespace. */
  *grantsOf(user: UserInfo, namespace: string): Generator<Grant> {
    for (const scope of namespace === "" ? [""] : ["", namespace]) {
      const subjects = this.#grants.get(scope);
      if (subjects === undefined) continue;
      yield* subjects.get(`User ${user.name}`) ?? [];
      for (const group of user.groups) yield* subjects.get(`Group ${group}`) ?? [];
    }
  }

  /** Rules of the role that a grant names; undefined when there is no such role. */
  rulesOf(grant: Grant): readonly PolicyRule[] | undefined {
    return this.rules(grant.roleKind, grant.binding.metadata.namespace ?? "", grant.roleName);
  }

  rules(kind: string, namespace: string, name: string): readonly PolicyRule[] | undefined {
    return kind === "Role" ? rulesIn(this.#roles.get(`${namespace}/${name}`)) : this.#clusterRules(name, new Set());
  }

  /** Aggregation is resolved here, so that a new part counts at once; the roles' own text follows by a controller. */
  #clusterRules(name: string, within: Set<string>): readonly PolicyRule[] | undefined {
    const role = this.#clusterRoles.get(name);
    const selectors = role?.aggregationRule?.clusterRoleSelectors;
    if (role === undefined || selectors === undefined) return rulesIn(role);
    const known = this.#aggregated.get(name);
    if (known !== undefined) return known;
    if (within.has(name)) return [];
    within.add(name);
    const rules: PolicyRule[] = [];
    for (const [part, { metadata }] of this.#clusterRoles) {
      if (part === name || !selectors.some((selector) => selects(selector, metadata.labels))) continue;
      rules.push(...(this.#clusterRules(part, within) ?? []));
    }
    within.delete(name);
    // What was cut short by a circle is not the whole of it.
    if (within.size === 0) this.#aggregated.set(name, rules);
    return rules;
  }
}

const rulesIn = (role: Role | ClusterRole | undefined): readonly PolicyRule[] | undefined =>
  role === undefined ? undefined : (role.rules ?? []);

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** `User NAME` and `Group NAME`; a ServiceAccount is the user it authenticates as. */
function subjectsOf(binding: RoleBinding): Set<string> {
  const subjects = new Set<string>();
  for (const { kind, name, namespace } of binding.subjects ?? []) {
    if (kind !== "ServiceAccount") subjects.add(`${kind} ${name}`);
    else subjects.add(`User system:serviceaccount:${namespace ?? binding.metadata.namespace ?? ""}:${name}`);
  }
  return subjects;
}
