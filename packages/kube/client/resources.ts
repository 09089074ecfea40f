/** The built-in resources by name, typed; and the way to name any other. */
import type { KubeObject } from "../api/object.ts";
import type * as types from "../api/types/index.ts";
import type { Resource } from "./client.ts";

function named<T extends KubeObject = KubeObject>(
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced = true,
): Resource<T> {
  return { group, version, resource, kind, namespaced };
}

export const PODS = named<types.Pod>("", "v1", "pods", "Pod");
export const NODES = named<types.Node>("", "v1", "nodes", "Node", false);
export const NAMESPACES = named<types.Namespace>("", "v1", "namespaces", "Namespace", false);
export const SERVICES = named<types.Service>("", "v1", "services", "Service");
export const ENDPOINTS = named<types.Endpoints>("", "v1", "endpoints", "Endpoints");
export const CONFIG_MAPS = named<types.ConfigMap>("", "v1", "configmaps", "ConfigMap");
export const SECRETS = named<types.Secret>("", "v1", "secrets", "Secret");
export const SERVICE_ACCOUNTS = named<types.ServiceAccount>("", "v1", "serviceaccounts", "ServiceAccount");
export const EVENTS = named<types.CoreEvent>("", "v1", "events", "Event");
export const RESOURCE_QUOTAS = named<types.ResourceQuota>("", "v1", "resourcequotas", "ResourceQuota");
export const LIMIT_RANGES = named("", "v1", "limitranges", "LimitRange");
export const POD_TEMPLATES = named("", "v1", "podtemplates", "PodTemplate");
export const REPLICATION_CONTROLLERS = named<types.ReplicationController>(
  "",
  "v1",
  "replicationcontrollers",
  "ReplicationController",
);
export const PERSISTENT_VOLUMES = named<types.PersistentVolume>(
  "",
  "v1",
  "persistentvolumes",
  "PersistentVolume",
  false,
);
export const PERSISTENT_VOLUME_CLAIMS = named<types.PersistentVolumeClaim>(
  "",
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
);

export const DEPLOYMENTS = named<types.Deployment>("apps", "v1", "deployments", "Deployment");
export const REPLICA_SETS = named<types.ReplicaSet>("apps", "v1", "replicasets", "ReplicaSet");
export const STATEFUL_SETS = named<types.StatefulSet>("apps", "v1", "statefulsets", "StatefulSet");
export const DAEMON_SETS = named<types.DaemonSet>("apps", "v1", "daemonsets", "DaemonSet");
export const CONTROLLER_REVISIONS = named<types.ControllerRevision>(
  "apps",
  "v1",
  "controllerrevisions",
  "ControllerRevision",
);
export const JOBS = named<types.Job>("batch", "v1", "jobs", "Job");
export const CRON_JOBS = named<types.CronJob>("batch", "v1", "cronjobs", "CronJob");
export const POD_DISRUPTION_BUDGETS = named<types.PodDisruptionBudget>(
  "policy",
  "v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
);
export const POD_METRICS = named<types.PodMetrics>("metrics.k8s.io", "v1beta1", "pods", "PodMetrics");
export const HORIZONTAL_POD_AUTOSCALERS = named<types.HorizontalPodAutoscaler>(
  "autoscaling",
  "v2",
  "horizontalpodautoscalers",
  "HorizontalPodAutoscaler",
);

export const ENDPOINT_SLICES = named<types.EndpointSlice>("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
export const INGRESSES = named<types.Ingress>("networking.k8s.io", "v1", "ingresses", "Ingress");
export const INGRESS_CLASSES = named<types.IngressClass>(
  "networking.k8s.io",
  "v1",
  "ingressclasses",
  "IngressClass",
  false,
);
export const NETWORK_POLICIES = named("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");

export const LEASES = named<types.Lease>("coordination.k8s.io", "v1", "leases", "Lease");
export const STORAGE_CLASSES = named<types.StorageClass>(
  "storage.k8s.io",
  "v1",
  "storageclasses",
  "StorageClass",
  false,
);
export const PRIORITY_CLASSES = named<types.PriorityClass>(
  "scheduling.k8s.io",
  "v1",
  "priorityclasses",
  "PriorityClass",
  false,
);
export const ROLES = named<types.Role>("rbac.authorization.k8s.io", "v1", "roles", "Role");
export const ROLE_BINDINGS = named<types.RoleBinding>("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding");
export const CLUSTER_ROLES = named<types.ClusterRole>(
  "rbac.authorization.k8s.io",
  "v1",
  "clusterroles",
  "ClusterRole",
  false,
);
export const CLUSTER_ROLE_BINDINGS = named<types.RoleBinding>(
  "rbac.authorization.k8s.io",
  "v1",
  "clusterrolebindings",
  "ClusterRoleBinding",
  false,
);
export const CUSTOM_RESOURCE_DEFINITIONS = named<types.CustomResourceDefinition>(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  false,
);
export const API_SERVICES = named("apiregistration.k8s.io", "v1", "apiservices", "APIService", false);
export const CERTIFICATE_SIGNING_REQUESTS = named(
  "certificates.k8s.io",
  "v1",
  "certificatesigningrequests",
  "CertificateSigningRequest",
  false,
);
export const MUTATING_WEBHOOK_CONFIGURATIONS = named(
  "admissionregistration.k8s.io",
  "v1",
  "mutatingwebhookconfigurations",
  "MutatingWebhookConfiguration",
  false,
);
export const VALIDATING_ADMISSION_POLICIES = named(
  "admissionregistration.k8s.io",
  "v1",
  "validatingadmissionpolicies",
  "ValidatingAdmissionPolicy",
  false,
);
export const VALIDATING_WEBHOOK_CONFIGURATIONS = named(
  "admissionregistration.k8s.io",
  "v1",
  "validatingwebhookconfigurations",
  "ValidatingWebhookConfiguration",
  false,
);

/** Names a resource of a CRD. */
export function customResource<T extends KubeObject = KubeObject>(
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced: boolean,
): Resource<T> {
  return { group, version, resource, kind, namespaced };
}

/** `/api/v1/namespaces/NS/pods/NAME/SUB`: `namespace` "" means all, or cluster scope. */
export function resourcePath(resource: Resource, namespace: string, name = "", subresource = ""): string {
  let path = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (resource.namespaced && namespace !== "") path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${resource.resource}`;
  if (name !== "") path += `/${encodeURIComponent(name)}`;
  return subresource === "" ? path : `${path}/${subresource}`;
}
