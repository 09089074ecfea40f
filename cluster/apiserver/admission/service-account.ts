import { forbidden } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { randomSuffix } from "@travelops/kube/api/names";
import type { ServiceAccount } from "@travelops/kube/api/types/cluster";
import type { AdmissionAttributes } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { lookUp, shownName, withSpec, writes } from "./plugin.ts";
import { isMirrorPod, podSpec } from "./pod-shape.ts";
import type { ContainerShape, PodSpecShape } from "./pod-shape.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Gives each pod its ServiceAccount: the name, the token as a projected volume, the image pull secrets. */
export const serviceAccountPlugin = (random: () => number): AdmissionPlugin => ({
  name: "ServiceAccount",
  mutate(object, attributes, view) {
    if (!writes(attributes, "", "pods") || attributes.operation !== "CREATE" || isMirrorPod(object)) return object;
    const spec = podSpec(object);
    const name =
      spec.serviceAccountName !== undefined && spec.serviceAccountName !== "" ? spec.serviceAccountName : "default";
    const account = findAccount(attributes, view, name);
    const pullSecrets =
      spec.imagePullSecrets !== undefined && spec.imagePullSecrets.length > 0
        ? spec.imagePullSecrets
        : account.imagePullSecrets;
    const mounted =
      (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true)
        ? withToken(spec, random)
        : {};
    return withSpec(object, {
      serviceAccountName: name,
      serviceAccount: name,
      ...(pullSecrets === undefined || pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
      ...mounted,
    });
  },
  validate(attributes) {
    const { object, operation } = attributes;
    if (object === undefined || operation !== "CREATE" || !writes(attributes, "", "pods") || !isMirrorPod(object))
      return;
    const refuse = (what: string) =>
      forbidden({ group: "", resource: "pods" }, shownName(attributes), `a mirror pod may not reference ${what}`);
    if ((podSpec(object).serviceAccountName ?? "") !== "") throw refuse("service accounts");
    if (
      (podSpec(object).volumes ?? []).some(
        (volume) => volume["projected"] !== undefined || volume["secret"] !== undefined,
      )
    )
      throw refuse("secrets");
  },
});

function findAccount(attributes: AdmissionAttributes, view: ClusterView, name: string): ServiceAccount {
  const { namespace } = attributes;
  const account = lookUp(view, "serviceaccounts.", namespace, name);
  if (account !== undefined) return account as KubeObject as ServiceAccount;
  const why = `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
  throw forbidden({ group: "", resource: "pods" }, shownName(attributes), why);
}

/** The volumes and containers of a pod with the token mounted wherever nothing else is mounted in its place. */
function withToken(spec: PodSpecShape, random: () => number): Partial<PodSpecShape> {
  const lacks = (container: ContainerShape): boolean =>
    !(container.volumeMounts ?? []).some((mount) => mount.mountPath === MOUNT_PATH);
  const containers = spec.containers ?? [];
  const initContainers = spec.initContainers ?? [];
  if (![...containers, ...initContainers].some(lacks)) return {};
  const existing = (spec.volumes ?? []).find((volume) => volume.name.startsWith("kube-api-access-"))?.name;
  const name = existing ?? `kube-api-access-${randomSuffix(random)}`;
  const mount = (container: ContainerShape): ContainerShape =>
    lacks(container)
      ? {
          ...container,
          volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: MOUNT_PATH }],
        }
      : container;
  return {
    ...(existing === undefined ? { volumes: [...(spec.volumes ?? []), tokenVolume(name)] } : {}),
    containers: containers.map(mount),
    ...(initContainers.length === 0 ? {} : { initContainers: initContainers.map(mount) }),
  };
}

const tokenVolume = (name: string): { name: string; projected: unknown } => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3_607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
        },
      },
    ],
    defaultMode: 420,
  },
});
