/** JSON as nobody should send it: any shape, the names that hurt in JavaScript, and valid objects bent in one place. */
import fc from "fast-check";
import { arbitraryOf } from "@travelops/kube/schema/testdata/arbitrary";
import { kindNode } from "@travelops/kube/schema/table";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  "a/b",
  "~0~1",
  "metadata",
  "name",
  "namespace",
  "spec",
  "status",
  "kind",
  "apiVersion",
  "items",
  "labels",
  "annotations",
  "managedFields",
  "finalizers",
  "ownerReferences",
  "creationTimestamp",
  "deletionTimestamp",
  "resourceVersion",
  "uid",
  "generation",
  "generateName",
  "$patch",
  "$retainKeys",
  "$setElementOrder/containers",
  "$deleteFromPrimitiveList/finalizers",
  "containers",
  "ports",
  "template",
  "selector",
  "data",
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    ".",
    "..",
    "/",
    "a",
    "-",
    "0",
    "x".repeat(300),
    "\u0000",
    "\ud800",
    "ünïcödé",
    "A".repeat(70_000),
    "1e999",
    "null",
    "true",
    "{{.}}",
    "%",
    "%zz",
    "2020-13-45T99:99:99Z",
    "9".repeat(40),
    "10.0.0.256",
    "::1",
    "v1",
    "apps/v1",
    "a/b/c",
    "-1",
    "1Gi",
    "1e1000000",
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(...NAMES),
);

const leaf: fc.Arbitrary<Json> = fc.oneof(
  hostileText,
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(0, -1, 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 63, 1e308, 0.1, -0, 1e-320),
  fc.integer(),
);

const nested = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 5 })), tie("value"), { maxKeys: 5 }),
  ),
}));

export const anyJson: fc.Arbitrary<Json> = nested.value;

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
}

const kind = (group: string, version: string, name: string, resource: string, namespaced = true): Kind => ({
  group,
  version,
  kind: name,
  resource,
  namespaced,
});

export const KINDS: readonly Kind[] = [
  kind("", "v1", "Pod", "pods"),
  kind("", "v1", "ConfigMap", "configmaps"),
  kind("", "v1", "Secret", "secrets"),
  kind("", "v1", "Service", "services"),
  kind("", "v1", "ServiceAccount", "serviceaccounts"),
  kind("", "v1", "Namespace", "namespaces", false),
  kind("", "v1", "Node", "nodes", false),
  kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
  kind("", "v1", "ResourceQuota", "resourcequotas"),
  kind("", "v1", "LimitRange", "limitranges"),
  kind("", "v1", "Event", "events"),
  kind("", "v1", "Endpoints", "endpoints"),
  kind("apps", "v1", "Deployment", "deployments"),
  kind("apps", "v1", "StatefulSet", "statefulsets"),
  kind("apps", "v1", "DaemonSet", "daemonsets"),
  kind("batch", "v1", "Job", "jobs"),
  kind("batch", "v1", "CronJob", "cronjobs"),
  kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  kind("networking.k8s.io", "v1", "Ingress", "ingresses"),
  kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
  kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
  kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false),
  kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
  kind("coordination.k8s.io", "v1", "Lease", "leases"),
  kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", false),
  kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false),
  kind("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", false),
  kind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", false),
];

export const apiVersionOf = ({ group, version }: Kind): string => (group === "" ? version : `${group}/${version}`);

export const collectionOf = (kindOf: Kind): string =>
  `${kindOf.group === "" ? "/api" : `/apis/${kindOf.group}`}/${kindOf.version}${kindOf.namespaced ? "/namespaces/default" : ""}/${kindOf.resource}`;

/** An object of the kind with a name of its own, whatever else its schema allows. */
export function objectOf(kindOf: Kind): fc.Arbitrary<{ [key: string]: Json }> {
  const node = kindNode(kindOf.group, kindOf.version, kindOf.kind);
  if (node === undefined) throw new Error(`the table has no ${kindOf.kind}`);
  return fc.tuple(arbitraryOf(node, 6), fc.stringMatching(/^[a-z]{1,3}$/), fc.boolean()).map(([value, name, bare]) => {
    const object = value as { [key: string]: Json };
    const metadata = bare ? {} : (object["metadata"] as { [key: string]: Json } | undefined);
    return {
      ...object,
      apiVersion: apiVersionOf(kindOf),
      kind: kindOf.kind,
      metadata: { ...metadata, name, ...(kindOf.namespaced ? { namespace: "default" } : {}) },
    };
  });
}

/** Puts `piece` somewhere into `value`; `way` chooses where, step by step. */
export function bend(value: Json, way: readonly number[], piece: Json): Json {
  const [step, ...rest] = way;
  if (step === undefined || typeof value !== "object" || value === null) return piece;
  if (Array.isArray(value)) {
    if (value.length === 0) return [piece];
    const at = step % value.length;
    return value.map((item, index) => (index === at ? bend(item, rest, piece) : item));
  }
  const keys = Object.keys(value);
  const key = keys[step % Math.max(1, keys.length)];
  if (key === undefined) return { bent: piece };
  return { ...value, [key]: bend(value[key] ?? null, rest, piece) };
}

/** A valid object of some kind, bent in up to three places. */
export const bentObject: fc.Arbitrary<{ kindOf: Kind; object: Json }> = fc.constantFrom(...KINDS).chain((kindOf) =>
  fc
    .tuple(
      objectOf(kindOf),
      fc.array(fc.tuple(fc.array(fc.nat(9), { minLength: 1, maxLength: 7 }), anyJson), { maxLength: 3 }),
    )
    .map(([object, bends]) => ({
      kindOf,
      object: bends.reduce<Json>((bent, [way, piece]) => bend(bent, way, piece), object),
    })),
);
