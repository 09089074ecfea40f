/** What the parts of one node's kubelet share. */
import type { KubeClient } from "@travelops/kube";
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type {
  ConfigMap,
  Container,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Service,
} from "@travelops/kube/api/types/index.ts";
import type { EventRecorder } from "@travelops/kube/controller/events.ts";
import type { Informer } from "@travelops/kube/controller/informer.ts";
import type { ImageCatalogue } from "../images/catalogue.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { HostPathRule } from "../volumes/host-path.ts";
import type { NodeFacts } from "./field-ref.ts";
import type { NodeRoom } from "./resize.ts";

/** Objects that pods refer to; shared by the kubelets of a cluster. */
export interface KubeletSources {
  readonly configMaps: Informer<ConfigMap>;
  readonly secrets: Informer<Secret>;
  readonly services: Informer<Service>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
}

export interface KubeletContext {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly sandbox: Sandbox;
  readonly catalogue: ImageCatalogue;
  readonly sources: KubeletSources;
  readonly node: NodeFacts;
  /** Below the cluster's data directory; a pod's own is its UID in it. */
  readonly podsDirectory: string;
  readonly hostPaths: HostPathRule;
  readonly dns: { readonly server: string; readonly domain: string };
  /** 64 hexadecimal digits. */
  readonly newContainerId: () => string;
  /** What the node can give to a pod. */
  readonly room: (uid: string) => NodeRoom;
  /** Pods, by uid, whose new resources wait. */
  readonly pendingResizes: Set<string>;
  /** There may be room for one of those. */
  readonly roomChanged: () => void;
  /** How many processes a pod may have. */
  readonly podPidsLimit: number;
  /** Added to every container's environment where the pod does not say otherwise. */
  readonly podEnv: Readonly<Record<string, string>>;
}

export const podLabel = (pod: Pod): string => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

export const findContainer = (pod: Pod, name: string): Container | undefined =>
  [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])].find(
    (one) => one.name === name,
  );
