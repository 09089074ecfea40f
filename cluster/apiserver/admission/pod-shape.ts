/** The parts of a Pod that admission reads and fills in. */
import type { KubeObject } from "@travelops/kube";

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface ContainerShape {
  readonly name: string;
  readonly volumeMounts?: readonly VolumeMount[];
  readonly resources?: {
    readonly requests?: Record<string, string | number>;
    readonly limits?: Record<string, string | number>;
  };
}

export interface PodSpecShape {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly imagePullSecrets?: readonly { name?: string }[];
  readonly volumes?: readonly { readonly name: string; readonly [source: string]: unknown }[];
  readonly containers?: readonly ContainerShape[];
  readonly initContainers?: readonly ContainerShape[];
  readonly tolerations?: readonly Toleration[];
  readonly priority?: number;
  readonly priorityClassName?: string;
  readonly preemptionPolicy?: string;
  readonly runtimeClassName?: string;
  readonly overhead?: Record<string, string | number>;
  readonly resources?: ContainerShape["resources"];
  readonly nodeSelector?: Record<string, string>;
}

export const podSpec = (object: KubeObject): PodSpecShape => (object["spec"] as PodSpecShape | undefined) ?? {};

/** Pods that the kubelet made itself carry this annotation. */
export const isMirrorPod = (object: KubeObject): boolean =>
  object.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined;
