/** What every controller is given. */
import type { Clock, EventRecorder, KubeClient, Logger } from "@travelops/kube";
import type { SignCertificate } from "../apiserver/pki/cluster-pki.ts";
import type { SharedInformers } from "./informers.ts";
import type { ObjectMonitors } from "./object-monitors.ts";

export interface ControllerContext {
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  /** Every object of every kind; starts with its first user. */
  readonly monitors: ObjectMonitors;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** PEM of the CA that pods verify the API with. */
  readonly rootCa?: string;
  /** Signs requests for certificates with the cluster's CA. */
  readonly signCertificate?: SignCertificate;
  /** Absolute path of the directory that holds the volumes of the built-in storage class. */
  readonly volumesDirectory?: string;
  /** How often HorizontalPodAutoscalers look at metrics. */
  readonly autoscalerPeriodMs: number;
  /** Events as a component, made once each. */
  readonly recorder: (component: string) => EventRecorder;
}

/** A controller: runs until the context's signal aborts. */
export type Controller = (context: ControllerContext) => Promise<void>;
