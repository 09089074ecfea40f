/** Starts everything that upstream's kube-controller-manager runs, over one set of informers. */
import type { Clock, EventRecorder, KubeClient, Logger } from "@travelops/kube";
import { eventRecorder, silentLogger, systemClock } from "@travelops/kube";
import type { SignCertificate } from "../apiserver/pki/cluster-pki.ts";
import { certificateController } from "./certificates/controller.ts";
import { clusterRoleAggregationController } from "./cluster-role-aggregation.ts";
import type { Controller, ControllerContext } from "./context.ts";
import { cronJobController } from "./cron-job/controller.ts";
import { daemonSetController } from "./daemon-set/controller.ts";
import { deploymentController } from "./deployment/controller.ts";
import { disruptionController } from "./disruption/controller.ts";
import { endpointsController, endpointSliceController } from "./endpoints/controller.ts";
import { endpointSliceMirroringController } from "./endpoints/mirror-controller.ts";
import { garbageCollector } from "./garbage-collector/controller.ts";
import { type SharedInformers, sharedInformers } from "./informers.ts";
import { horizontalPodAutoscalerController } from "./horizontal-pod-autoscaler/controller.ts";
import { jobController } from "./job/controller.ts";
import { namespaceController } from "./namespace/controller.ts";
import { nodeLifecycleController, podGarbageController } from "./node-lifecycle/controller.ts";
import { objectMonitors } from "./object-monitors.ts";
import { persistentVolumeController } from "./persistent-volume/controller.ts";
import { resourceQuotaController } from "./quota/controller.ts";
import { replicaSetController, replicationController } from "./replica-set/controller.ts";
import { rootCaController, serviceAccountController } from "./service-account/controller.ts";
import { tokenController } from "./service-account/tokens.ts";
import { validatingAdmissionPolicyStatusController } from "./validating-admission-policy-status/controller.ts";
import { statefulSetController } from "./stateful-set/controller.ts";

export interface ControllersOptions {
  client: KubeClient;
  signal: AbortSignal;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
  /** Shared with the scheduler and others of the same process; made here where absent. */
  informers?: SharedInformers;
  /** PEM of the CA that pods verify the API with; published in every namespace. */
  rootCa?: string;
  /** Signs approved CertificateSigningRequests; without it they stay as they are. */
  signCertificate?: SignCertificate;
  /** Absolute path for the volumes of the built-in storage class `local`; without it there is no such class. */
  volumesDirectory?: string;
  /** How often HorizontalPodAutoscalers look at metrics: every 15 s where absent. */
  autoscalerPeriodMs?: number;
  /** Runs only these, by name. */
  only?: readonly string[];
}

const AUTOSCALER_PERIOD_MS = 15_000;

/** By the names that upstream's `--controllers` has. */
const CONTROLLERS: Readonly<Record<string, Controller>> = {
  "replicaset-controller": replicaSetController,
  "replicationcontroller-controller": replicationController,
  "deployment-controller": deploymentController,
  "endpointslice-controller": endpointSliceController,
  "endpointslice-mirroring-controller": endpointSliceMirroringController,
  "endpoints-controller": endpointsController,
  "statefulset-controller": statefulSetController,
  "daemonset-controller": daemonSetController,
  "job-controller": jobController,
  "cronjob-controller": cronJobController,
  "namespace-controller": namespaceController,
  "garbage-collector-controller": garbageCollector,
  "node-lifecycle-controller": nodeLifecycleController,
  "pod-garbage-collector-controller": podGarbageController,
  "persistentvolume-binder-controller": persistentVolumeController,
  "horizontal-pod-autoscaler-controller": horizontalPodAutoscalerController,
  "disruption-controller": disruptionController,
  "resourcequota-controller": resourceQuotaController,
  "certificatesigningrequest-controller": certificateController,
  "clusterrole-aggregation-controller": clusterRoleAggregationController,
  "serviceaccount-controller": serviceAccountController,
  "root-ca-certificate-publisher-controller": rootCaController,
  "serviceaccount-token-controller": tokenController,
  "validatingadmissionpolicy-status-controller": validatingAdmissionPolicyStatusController,
};

/** Runs until `signal` aborts; resolves when all have ended. */
export async function startControllers(options: ControllersOptions): Promise<void> {
  const { client, signal } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const log = options.log ?? silentLogger;
  const informers = options.informers ?? sharedInformers({ client, signal, clock, random, log });
  const monitors = objectMonitors({ client, informers, signal, clock, random, log });
  const context: ControllerContext = {
    client,
    informers,
    monitors,
    clock,
    random,
    log,
    signal,
    rootCa: options.rootCa,
    signCertificate: options.signCertificate,
    volumesDirectory: options.volumesDirectory,
    autoscalerPeriodMs: options.autoscalerPeriodMs ?? AUTOSCALER_PERIOD_MS,
    recorder: recorders(client, clock, log),
  };
  const running = Object.entries(CONTROLLERS).filter(([name]) => options.only?.includes(name) ?? true);
  await Promise.all(running.map(([, run]) => run(context)));
  await monitors.stopped;
  if (options.informers === undefined) await informers.stopped;
}

function recorders(client: KubeClient, clock: Clock, log: Logger): (component: string) => EventRecorder {
  const known = new Map<string, EventRecorder>();
  return (component) => {
    const found = known.get(component);
    if (found !== undefined) return found;
    const made = eventRecorder(client, component, clock, { log });
    known.set(component, made);
    return made;
  };
}
