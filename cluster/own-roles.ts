/** Rights of the parts that upstream has no bootstrap role for: exactly what they read and write. */
import type { ClusterRole, KubeClient, PolicyRule, RoleBinding } from "@travelops/kube";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from "@travelops/kube/client/resources";

interface OwnRole {
  readonly name: string;
  readonly subject: { readonly kind: "User" | "Group"; readonly name: string };
  readonly rules: PolicyRule[];
}

const READ = ["get", "list", "watch"];
const GATEWAY = "gateway.networking.k8s.io";
const ROUTES = ["httproutes", "grpcroutes", "tlsroutes"];

const OWN_ROLES: readonly OwnRole[] = [
  {
    // The kubelets of a cluster share one look at volumes.
    name: "travelops:node-volumes",
    subject: { kind: "Group", name: "system:nodes" },
    rules: [{ apiGroups: [""], resources: ["persistentvolumeclaims", "persistentvolumes"], verbs: READ }],
  },
  {
    // The built-in storage class is made where it is missing.
    name: "travelops:storage-class",
    subject: { kind: "User", name: "system:kube-controller-manager" },
    rules: [{ apiGroups: ["storage.k8s.io"], resources: ["storageclasses"], verbs: [...READ, "create"] }],
  },
  {
    name: "travelops:network",
    subject: { kind: "User", name: "system:network" },
    rules: [
      { apiGroups: [""], resources: ["services", "pods", "namespaces", "nodes", "secrets"], verbs: READ },
      { apiGroups: [""], resources: ["services", "services/status"], verbs: ["patch", "update"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
      {
        apiGroups: ["networking.k8s.io"],
        resources: ["ingresses", "ingressclasses"],
        verbs: [...READ, "create", "patch"],
      },
      { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: READ },
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses/status"], verbs: ["patch", "update"] },
      {
        apiGroups: ["route.openshift.io"],
        resources: ["routes", "routes/status", "routes/custom-host"],
        verbs: [...READ, "patch", "update"],
      },
      {
        apiGroups: [GATEWAY],
        resources: ["gatewayclasses", "gateways", "referencegrants", ...ROUTES],
        verbs: [...READ, "create", "patch", "update"],
      },
      {
        apiGroups: [GATEWAY],
        resources: ["gatewayclasses/status", "gateways/status", ...ROUTES.map((route) => `${route}/status`)],
        verbs: ["patch", "update"],
      },
      {
        apiGroups: ["apiextensions.k8s.io"],
        resources: ["customresourcedefinitions"],
        verbs: [...READ, "create"],
      },
      { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch", "update"] },
    ],
  },
  {
    name: "travelops:openshift-furniture",
    subject: { kind: "User", name: "system:openshift-furniture" },
    rules: [
      {
        apiGroups: ["config.openshift.io"],
        resources: ["infrastructures", "ingresses", "clusterversions"].flatMap((each) => [each, `${each}/status`]),
        verbs: [...READ, "create", "patch", "update"],
      },
    ],
  },
];

/** Whoever may view pods may see what they use. */
const METRICS_READER: ClusterRole = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: {
    name: "system:aggregated-metrics-reader",
    labels: Object.fromEntries(
      ["view", "edit", "admin"].map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, "true"]),
    ),
  },
  rules: [{ apiGroups: ["metrics.k8s.io"], resources: ["pods", "nodes"], verbs: ["get", "list", "watch"] }],
};

/** Brings them to what this version needs. `client` may do everything. */
export async function applyOwnRoles(client: KubeClient): Promise<void> {
  const writes = OWN_ROLES.flatMap((role) => [applyRole(client, role), applyBinding(client, role)]);
  await Promise.all([...writes, client.apply(CLUSTER_ROLES, METRICS_READER, applied)]);
}

const applied = { fieldManager: "travelops", force: true } as const;
const metadata = (name: string) => ({ name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } });

function applyRole(client: KubeClient, { name, rules }: OwnRole): Promise<ClusterRole> {
  const role = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: metadata(name),
    rules,
  };
  return client.apply(CLUSTER_ROLES, role, applied);
}

function applyBinding(client: KubeClient, { name, subject }: OwnRole): Promise<RoleBinding> {
  const binding = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: metadata(name),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", ...subject }],
  };
  return client.apply(CLUSTER_ROLE_BINDINGS, binding, applied);
}
