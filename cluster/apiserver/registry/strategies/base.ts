/** What most built-in resources share, as data: who counts generations, who resets metadata on `/status`, … */
import type { ResourceRow } from "@travelops/kube/schema/node";
import type { Strategy } from "../strategy.ts";

/** `resource.group`, as tables of the store are named. */
export const tableOf = (row: Pick<ResourceRow, "group" | "resource">): string => `${row.resource}.${row.group}`;

const GENERATION: ReadonlySet<string> = new Set([
  "pods.",
  "podtemplates.",
  "replicationcontrollers.",
  "daemonsets.apps",
  "deployments.apps",
  "replicasets.apps",
  "statefulsets.apps",
  "cronjobs.batch",
  "jobs.batch",
  "ingresses.networking.k8s.io",
  "ingressclasses.networking.k8s.io",
  "networkpolicies.networking.k8s.io",
  "poddisruptionbudgets.policy",
  "priorityclasses.scheduling.k8s.io",
  "customresourcedefinitions.apiextensions.k8s.io",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "validatingadmissionpolicybindings.admissionregistration.k8s.io",
  "flowschemas.flowcontrol.apiserver.k8s.io",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
  "endpointslices.discovery.k8s.io",
]);

/** They have one, and it stays 1. */
const FIRST_GENERATION_ONLY: ReadonlySet<string> = new Set(["priorityclasses.scheduling.k8s.io"]);

const STATUS_RESETS_METADATA: ReadonlySet<string> = new Set([
  "customresourcedefinitions.apiextensions.k8s.io",
  "apiservices.apiregistration.k8s.io",
  "flowschemas.flowcontrol.apiserver.k8s.io",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "servicecidrs.networking.k8s.io",
]);

const CREATE_ON_UPDATE: ReadonlySet<string> = new Set([
  "endpoints.",
  "events.",
  "limitranges.",
  "leases.coordination.k8s.io",
  "roles.rbac.authorization.k8s.io",
  "rolebindings.rbac.authorization.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "clusterrolebindings.rbac.authorization.k8s.io",
  "runtimeclasses.node.k8s.io",
]);

/** Resources whose PUT needs a resourceVersion. */
const VERSION_REQUIRED: ReadonlySet<string> = new Set([
  "apiservices.apiregistration.k8s.io",
  "csidrivers.storage.k8s.io",
  "csinodes.storage.k8s.io",
  "csistoragecapacities.storage.k8s.io",
  "customresourcedefinitions.apiextensions.k8s.io",
  "leases.coordination.k8s.io",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "poddisruptionbudgets.policy",
  "runtimeclasses.node.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "validatingadmissionpolicybindings.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
  "volumeattachments.storage.k8s.io",
]);

const ORPHANS_BY_DEFAULT: ReadonlySet<string> = new Set(["replicationcontrollers."]);

/** The strategy of a built-in resource before its own particulars. */
export function baseStrategy(row: ResourceRow): Strategy {
  const table = tableOf(row);
  return {
    hasStatus: row.subresources.has("status"),
    tracksGeneration: GENERATION.has(table),
    keepsFirstGeneration: FIRST_GENERATION_ONLY.has(table),
    annotationsBumpGeneration: table === "deployments.apps",
    statusResetsMetadata: STATUS_RESETS_METADATA.has(table),
    allowCreateOnUpdate: CREATE_ON_UPDATE.has(table),
    allowUnconditionalUpdate: !VERSION_REQUIRED.has(table),
    defaultPropagation: ORPHANS_BY_DEFAULT.has(table) ? "Orphan" : "Background",
    ...(row.subresources.has("scale")
      ? { scale: { spec: "spec.replicas", status: "status.replicas", selector: "spec.selector" } }
      : {}),
  };
}
