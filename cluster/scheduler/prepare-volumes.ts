/** Has volumes made or set aside for claims that waited for their first pod. */
import type { KubeClient, Node, PersistentVolumeClaim } from "@travelops/kube";
import { isConflict, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "@travelops/kube";
import { BOUND_BY_CONTROLLER } from "../controllers/persistent-volume/match.ts";
import { preparationOf, type VolumeLookup } from "./volumes.ts";

const MERGE = "application/merge-patch+json";

/** What is under way already is left alone, so that it can be asked for again and again. */
export async function prepareVolumes(
  client: KubeClient,
  claims: readonly PersistentVolumeClaim[],
  node: Node,
  lookup: VolumeLookup,
): Promise<void> {
  for (const claim of claims) {
    const step = preparationOf(claim, node, lookup);
    if (step === undefined) continue;
    const { namespace = "", name = "", uid, resourceVersion } = claim.metadata;
    try {
      if (step.kind === "provision") {
        const metadata = { resourceVersion, annotations: step.annotations };
        await client.patch(PERSISTENT_VOLUME_CLAIMS, namespace, name, MERGE, { metadata });
      } else {
        const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
        const { resourceVersion: version } = step.volume.metadata;
        const metadata = { resourceVersion: version, annotations: { [BOUND_BY_CONTROLLER]: "yes" } };
        await client.patch(PERSISTENT_VOLUMES, "", step.volume.metadata.name ?? "", MERGE, {
          metadata,
          spec: { claimRef },
        });
      }
    } catch (error) {
      // Somebody was faster: the event of that change leads back here.
      if (!isConflict(error)) throw error;
    }
  }
}
