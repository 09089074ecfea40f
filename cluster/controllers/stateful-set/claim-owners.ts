/** Who owns the claims of a StatefulSet's pods, by its retention policy. Pure. */
import type { KubeObject, OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "@travelops/kube";
import { controllerReference, jsonEqual, PODS, STATEFUL_SETS } from "@travelops/kube";

interface Kin {
  readonly kind: string;
  readonly apiVersion: string;
  readonly object: KubeObject;
}

const kinOf = (set: StatefulSet, pod: Pod | undefined): Kin[] => [
  { kind: "StatefulSet", apiVersion: "apps/v1", object: set },
  ...(pod === undefined ? [] : [{ kind: "Pod", apiVersion: "v1", object: pod }]),
];

const names = (reference: OwnerReference, { kind, apiVersion, object }: Kin): boolean =>
  reference.kind === kind && reference.apiVersion === apiVersion && reference.name === object.metadata.name;

/** The reference goes by the name of the set or the pod, and means another that had it before. */
const isStale = (reference: OwnerReference, kin: readonly Kin[]): boolean =>
  kin.some((one) => names(reference, one) && reference.uid !== one.object.metadata.uid);

/**
 * The owners a claim should have, or undefined where they are right or none of this set's business. While the pod is
 * wanted the set owns its claims, if they are to go with the set; once it is scaled away the pod does, if they are to
 * go with the pod.
 */
export function wantedOwners(
  claim: PersistentVolumeClaim,
  set: StatefulSet,
  pod: Pod | undefined,
  isWanted: boolean,
): OwnerReference[] | undefined {
  const policy = set.spec.persistentVolumeClaimRetentionPolicy;
  const known = claim.metadata.ownerReferences ?? [];
  const kin = kinOf(set, pod);
  if (known.some((one) => isStale(one, kin))) return undefined;
  const others = known.filter((one) => !kin.some((each) => names(one, each)));
  const keepsAll = policy?.whenDeleted !== "Delete" && policy?.whenScaled !== "Delete";
  const isForeign = !keepsAll && others.some((one) => one.controller === true);
  const owner = isForeign ? undefined : ownerOf(set, pod, isWanted);
  const wanted = owner === undefined ? others : [...others, owner];
  return jsonEqual(wanted, known) ? undefined : wanted;
}

function ownerOf(set: StatefulSet, pod: Pod | undefined, isWanted: boolean): OwnerReference | undefined {
  const policy = set.spec.persistentVolumeClaimRetentionPolicy;
  const goesWithPod = policy?.whenScaled === "Delete";
  if (!isWanted && goesWithPod) return pod === undefined ? undefined : controllerReference(pod, PODS);
  return policy?.whenDeleted === "Delete" ? controllerReference(set, STATEFUL_SETS) : undefined;
}

/** Left by a pod that was scaled away, and about to go with it: no new pod may take it up. */
export const isLeftOver = (claim: PersistentVolumeClaim, set: StatefulSet, podName: string): boolean =>
  set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled === "Delete" &&
  (claim.metadata.ownerReferences ?? []).some(({ kind, name }) => kind === "Pod" && name === podName);
