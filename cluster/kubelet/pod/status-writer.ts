/** Writes a pod's status, and the mark of simulated containers, with as little as has changed. */
import { isNotFound, StatusError, type KubeClient } from "@travelops/kube";
import type { Pod, PodStatus } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { SIMULATED_ANNOTATION } from "./simulated.ts";
import { statusPatch } from "./status-patch.ts";

export type Written =
  /** The API had it already. */
  | { readonly kind: "same" }
  | { readonly kind: "written"; readonly pod: Pod }
  /** The pod is gone, or another has its name. */
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly error: unknown };

export async function writeStatus(client: KubeClient, pod: Pod, status: PodStatus): Promise<Written> {
  const patch = statusPatch(pod.status, status);
  if (patch === undefined) return { kind: "same" };
  // The uid is a precondition: a pod that was made anew under the name keeps its own status.
  return patchPod(
    client,
    pod,
    "application/strategic-merge-patch+json",
    { metadata: { uid: pod.metadata.uid }, status: patch },
    "status",
  );
}

/** Names the containers that only pretend, for everyone who looks at the pod. */
export async function markSimulated(client: KubeClient, pod: Pod, names: readonly string[]): Promise<Written> {
  const text = names.join(",");
  if (names.length === 0 || pod.metadata.annotations?.[SIMULATED_ANNOTATION] === text) return { kind: "same" };
  return patchPod(client, pod, "application/merge-patch+json", {
    metadata: { uid: pod.metadata.uid, annotations: { [SIMULATED_ANNOTATION]: text } },
  });
}

type PatchType = Parameters<KubeClient["patch"]>[3];

async function patchPod(
  client: KubeClient,
  pod: Pod,
  type: PatchType,
  patch: unknown,
  subresource?: string,
): Promise<Written> {
  const { namespace = "", name = "" } = pod.metadata;
  try {
    return {
      kind: "written",
      pod: await client.patch(PODS, namespace, name, type, patch, subresource === undefined ? {} : { subresource }),
    };
  } catch (error) {
    if (isNotFound(error) || (error instanceof StatusError && error.code === 409)) return { kind: "gone" };
    return { kind: "failed", error };
  }
}

/** Removes the object; whatever else has happened to it, it is no longer ours. */
export async function removePod(client: KubeClient, pod: Pod): Promise<void> {
  const { namespace = "", name = "", uid } = pod.metadata;
  try {
    await client.delete(PODS, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !(error instanceof StatusError && error.code === 409)) throw error;
  }
}
