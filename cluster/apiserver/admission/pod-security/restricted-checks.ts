/** The checks that the restricted level adds, in upstream's words. */
import { child, type Fields, has, items, strings } from "../../validation/fields.ts";
import { addedBeyond, isSeccomp, seccompProfile } from "./baseline-checks.ts";
import {
  type Check,
  containersOf,
  containersWith,
  named,
  nameOf,
  plural,
  quoted,
  security,
  setters,
  sorted,
} from "./pod-view.ts";

export const allowPrivilegeEscalation: Check = (pod) => {
  const names = containersWith(pod, (container) => security(container)?.["allowPrivilegeEscalation"] !== false);
  return names.length === 0
    ? undefined
    : {
        reason: "allowPrivilegeEscalation != false",
        detail: `${named(names)} must set securityContext.allowPrivilegeEscalation=false`,
      };
};

export const restrictedCapabilities: Check = (pod) => {
  const keeps = containersWith(
    pod,
    (container) => !strings(child(security(container), "capabilities"), "drop").includes("ALL"),
  );
  const beyond = addedBeyond(pod, (name) => name === "NET_BIND_SERVICE");
  const details = [
    ...(keeps.length === 0 ? [] : [`${named(keeps)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(beyond.containers.length === 0 ? [] : [beyond.detail]),
  ];
  return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
};

const OPEN_VOLUMES = "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split(
  " ",
);
const CLOSED_VOLUMES =
  "hostPath gcePersistentDisk awsElasticBlockStore gitRepo nfs iscsi glusterfs rbd flexVolume cinder cephfs flocker fc azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO storageos".split(
    " ",
  );

export const restrictedVolumes: Check = ({ spec }) => {
  const bad = items(spec, "volumes").filter((volume) => !OPEN_VOLUMES.some((type) => has(volume, type)));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => CLOSED_VOLUMES.find((type) => has(volume, type)) ?? "unknown"));
  return {
    reason: "restricted volume types",
    detail: `${plural("volume", "volumes", bad.length)} ${quoted(bad.map(nameOf))} ${plural("uses", "use", bad.length)} ${plural("restricted volume type", "restricted volume types", types.length)} ${quoted(types)}`,
  };
};

export const runAsNonRoot: Check = (pod) => {
  const reason = "runAsNonRoot != true";
  const stated = (of: Fields): unknown => security(of)?.["runAsNonRoot"];
  const roots = containersWith(pod, (container) => stated(container) === false);
  const ofPod = stated(pod.spec);
  if (ofPod === false || roots.length > 0)
    return { reason, detail: `${setters(ofPod === false, roots)} must not set securityContext.runAsNonRoot=false` };
  if (ofPod === true) return undefined;
  const silent = containersWith(pod, (container) => !has(security(container), "runAsNonRoot"));
  return silent.length === 0
    ? undefined
    : { reason, detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true` };
};

export const runAsUser: Check = (pod) => {
  const root = (of: Fields): boolean => security(of)?.["runAsUser"] === 0;
  const containers = containersWith(pod, root);
  const ofPod = root(pod.spec);
  return ofPod || containers.length > 0
    ? { reason: "runAsUser=0", detail: `${setters(ofPod, containers)} must not set runAsUser=0` }
    : undefined;
};

export const restrictedSeccomp: Check = (pod) => {
  const stated = (of: Fields): Fields | undefined => child(security(of), "seccompProfile");
  const bad = seccompProfile(pod);
  if (bad !== undefined) return bad;
  const ofPod = stated(pod.spec);
  if (ofPod !== undefined && isSeccomp(String(ofPod["type"]))) return undefined;
  const silent = containersOf(pod)
    .filter((container) => stated(container) === undefined)
    .map(nameOf);
  return silent.length === 0
    ? undefined
    : {
        reason: "seccompProfile",
        detail: `pod or ${named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      };
};
