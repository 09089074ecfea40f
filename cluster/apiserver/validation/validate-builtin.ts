/** What is wrong with a built-in object beyond its schema, in upstream's paths, reasons and words. */
import type { FieldError, KubeObject } from "@travelops/kube";
import type { ResourceRow } from "@travelops/kube/schema/node";
import { checkPolicyBinding, checkValidatingPolicy } from "./access/admission-policies.ts";
import { checkSigningRequest } from "./access/certificate-signing-requests.ts";
import type { Errors } from "./checks.ts";
import { checkConfigMap, checkLease, checkNamespace, checkQuota, checkSecret } from "./objects/core-objects.ts";
import { checkCoreEvent, checkNewEvent } from "./objects/events.ts";
import { checkClaim } from "./storage/claims.ts";
import { checkAttachment, checkCsiDriver, checkCsiNode, checkStorageCapacity } from "./storage/csi-objects.ts";
import { checkEndpoints, checkEndpointSlice } from "./network/endpoints.ts";
import { child } from "./fields.ts";
import { checkCronJob, checkJob } from "./workloads/jobs.ts";
import { checkFlowSchema, checkPriorityLevel } from "./access/flow-control.ts";
import { checkIngress, checkIngressClass, checkNetworkPolicy } from "./network/networking.ts";
import { checkVolume } from "./storage/persistent-volumes.ts";
import { checkLimitRange } from "./objects/limit-ranges.ts";
import { checkNode, checkRuntimeClass } from "./objects/nodes.ts";
import { checkPodTemplate } from "./pods/pod-spec.ts";
import { checkPod } from "./pods/pods.ts";
import { checkBinding, checkRole } from "./access/rbac.ts";
import { checkApiService } from "./access/registrations.ts";
import { checkAutoscaler, checkDisruptionBudget, checkPriorityClass } from "./workloads/scaling.ts";
import { checkServiceRange, checkTakenAddress } from "./network/service-ranges.ts";
import { checkService } from "./network/services.ts";
import { checkStatus } from "./status/check-status.ts";
import { checkAttributesClass, checkStorageClass } from "./storage/storage-classes.ts";
import { checkWebhooks } from "./access/webhooks.ts";
import {
  checkControllerRevision,
  checkDaemonSet,
  checkDeployment,
  checkReplicaSet,
  checkReplicationController,
  checkStatefulSet,
} from "./workloads/workloads.ts";

type Check = (object: KubeObject, old: KubeObject | undefined, errors: Errors) => void;

/** For checks that do not look at the object before. */
const alone =
  (check: (object: KubeObject, errors: Errors) => void): Check =>
  (object, _old, errors) =>
    check(object, errors);

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["configmaps.", checkConfigMap],
  ["secrets.", checkSecret],
  ["namespaces.", alone(checkNamespace)],
  ["resourcequotas.", checkQuota],
  ["limitranges.", alone(checkLimitRange)],
  ["events.", alone(checkCoreEvent)],
  ["events.events.k8s.io", checkNewEvent],
  ["nodes.", checkNode],
  ["podtemplates.", alone((object, errors) => checkPodTemplate(child(object, "template"), "template", errors))],
  ["replicationcontrollers.", alone(checkReplicationController)],
  ["services.", checkService],
  ["endpoints.", checkEndpoints],
  ["endpointslices.discovery.k8s.io", checkEndpointSlice],
  ["persistentvolumes.", checkVolume],
  ["persistentvolumeclaims.", checkClaim],
  ["storageclasses.storage.k8s.io", checkStorageClass],
  ["volumeattributesclasses.storage.k8s.io", checkAttributesClass],
  ["csidrivers.storage.k8s.io", checkCsiDriver],
  ["csinodes.storage.k8s.io", checkCsiNode],
  ["volumeattachments.storage.k8s.io", checkAttachment],
  ["csistoragecapacities.storage.k8s.io", checkStorageCapacity],
  ["deployments.apps", checkDeployment],
  ["replicasets.apps", checkReplicaSet],
  ["daemonsets.apps", checkDaemonSet],
  ["statefulsets.apps", checkStatefulSet],
  ["controllerrevisions.apps", checkControllerRevision],
  ["jobs.batch", checkJob],
  ["cronjobs.batch", checkCronJob],
  ["ingresses.networking.k8s.io", checkIngress],
  ["ingressclasses.networking.k8s.io", checkIngressClass],
  ["networkpolicies.networking.k8s.io", alone(checkNetworkPolicy)],
  ["servicecidrs.networking.k8s.io", checkServiceRange],
  ["ipaddresses.networking.k8s.io", checkTakenAddress],
  ["roles.rbac.authorization.k8s.io", alone((object, errors) => checkRole(object, true, errors))],
  ["clusterroles.rbac.authorization.k8s.io", alone((object, errors) => checkRole(object, false, errors))],
  ["rolebindings.rbac.authorization.k8s.io", (object, old, errors) => checkBinding(object, old, true, errors)],
  ["clusterrolebindings.rbac.authorization.k8s.io", (object, old, errors) => checkBinding(object, old, false, errors)],
  ["horizontalpodautoscalers.autoscaling", checkAutoscaler],
  ["poddisruptionbudgets.policy", alone(checkDisruptionBudget)],
  ["priorityclasses.scheduling.k8s.io", checkPriorityClass],
  ["apiservices.apiregistration.k8s.io", alone(checkApiService)],
  ["flowschemas.flowcontrol.apiserver.k8s.io", alone(checkFlowSchema)],
  ["prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", alone(checkPriorityLevel)],
  ["leases.coordination.k8s.io", alone(checkLease)],
  ["runtimeclasses.node.k8s.io", checkRuntimeClass],
  ["validatingadmissionpolicies.admissionregistration.k8s.io", checkValidatingPolicy],
  ["validatingadmissionpolicybindings.admissionregistration.k8s.io", alone(checkPolicyBinding)],
  ["validatingwebhookconfigurations.admissionregistration.k8s.io", alone(checkWebhooks)],
  ["mutatingwebhookconfigurations.admissionregistration.k8s.io", alone(checkWebhooks)],
]);

/**
 * Faults of a defaulted, type-checked built-in object; `old` is undefined on create. Metadata is checked by the registry.
 * Kinds without rules of their own have none. Writes to a subresource are checked only where upstream does.
 */
export function validateBuiltin(
  row: Pick<ResourceRow, "group" | "resource">,
  object: KubeObject,
  old?: KubeObject,
  subresource = "",
): FieldError[] {
  const errors: Errors = [];
  const table = `${row.resource}.${row.group}`;
  if (subresource === "status" && old !== undefined) checkStatus(table, object, old, errors);
  if (row.group === "" && row.resource === "pods") checkPod(object, old, subresource, errors);
  else if (row.resource === "certificatesigningrequests") checkSigningRequest(object, old, subresource, errors);
  else if (subresource === "") CHECKS.get(table)?.(object, old, errors);
  return errors;
}
