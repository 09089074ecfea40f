/** The informers that the kubelets of a cluster share: what pods refer to. */
import type { KubeClient } from "@travelops/kube";
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { Logger } from "@travelops/kube/api/logger.ts";
import {
  CONFIG_MAPS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  SECRETS,
  SERVICES,
} from "@travelops/kube/client/resources.ts";
import { createInformer } from "@travelops/kube/controller/informer.ts";
import type { KubeletSources } from "./pod/kubelet-context.ts";

/** Starts the informers; they stop with `signal`. */
export function kubeletSources(
  client: KubeClient,
  signal: AbortSignal,
  given: { clock?: Clock; log?: Logger } = {},
): KubeletSources {
  const options = { ...given, managedFields: "drop" } as const;
  const sources: KubeletSources = {
    configMaps: createInformer(client, CONFIG_MAPS, options),
    secrets: createInformer(client, SECRETS, options),
    services: createInformer(client, SERVICES, options),
    claims: createInformer(client, PERSISTENT_VOLUME_CLAIMS, options),
    volumes: createInformer(client, PERSISTENT_VOLUMES, options),
  };
  for (const informer of Object.values(sources)) {
    // Stopped before it has synced: the start was called off, and whoever waits for it hears of that.
    informer.synced().catch(() => {});
    void informer.run(signal);
  }
  return sources;
}
