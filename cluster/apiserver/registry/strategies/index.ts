/** The strategy of every built-in resource: what all share, and what is particular to one. */
import type { ResourceRow } from "@travelops/kube/schema/node";
import { builtinPrinter } from "../printers/index.ts";
import type { Strategy } from "../strategy.ts";
import { baseStrategy } from "./base.ts";
import {
  apiServices,
  events,
  leases,
  limitRanges,
  namespaces,
  nodes,
  rbac,
  runtimeClasses,
  secrets,
  serviceAccounts,
} from "./cluster-objects.ts";
import { csiDrivers, persistentVolumeClaims, persistentVolumes, storageCapacities, storageClasses } from "./storage.ts";
import { certificateSigningRequests } from "./certificate-signing-requests.ts";
import { crdStrategy } from "../../custom-resources/crd-strategy.ts";
import { endpoints, endpointSlices, networkPolicies } from "./networking.ts";
import { pods } from "./pods.ts";
import {
  cronJobs,
  daemonSets,
  deployments,
  jobs,
  podTemplates,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "./workloads.ts";

const PARTICULARS: Readonly<Record<string, Partial<Strategy>>> = {
  "pods.": pods,
  "podtemplates.": podTemplates,
  "replicationcontrollers.": replicationControllers,
  "deployments.apps": deployments,
  "statefulsets.apps": statefulSets,
  "cronjobs.batch": cronJobs,
  "replicasets.apps": replicaSets,
  "daemonsets.apps": daemonSets,
  "jobs.batch": jobs,
  "namespaces.": namespaces,
  "nodes.": nodes,
  "events.": events,
  "secrets.": secrets,
  "persistentvolumes.": persistentVolumes,
  "persistentvolumeclaims.": persistentVolumeClaims,
  "csistoragecapacities.storage.k8s.io": storageCapacities,
  "storageclasses.storage.k8s.io": storageClasses,
  "csidrivers.storage.k8s.io": csiDrivers,
  "limitranges.": limitRanges,
  "serviceaccounts.": serviceAccounts,
  "leases.coordination.k8s.io": leases,
  "runtimeclasses.node.k8s.io": runtimeClasses,
  "endpoints.": endpoints,
  "networkpolicies.networking.k8s.io": networkPolicies,
  "endpointslices.discovery.k8s.io": endpointSlices,
  "certificatesigningrequests.certificates.k8s.io": certificateSigningRequests,
  "roles.rbac.authorization.k8s.io": rbac,
  "rolebindings.rbac.authorization.k8s.io": rbac,
  "clusterroles.rbac.authorization.k8s.io": rbac,
  "clusterrolebindings.rbac.authorization.k8s.io": rbac,
  "apiservices.apiregistration.k8s.io": apiServices,
  "customresourcedefinitions.apiextensions.k8s.io": crdStrategy,
};

/** `extra`: strategies made with state of the server (Services), by table. */
export function builtinStrategy(
  row: ResourceRow,
  table: string,
  extra: Readonly<Record<string, Partial<Strategy>>>,
): Strategy {
  return {
    ...baseStrategy(row),
    printer: builtinPrinter(table),
    ...PARTICULARS[table],
    ...extra[table],
  };
}
