/** Registers a node and keeps it alive: a Lease every ten seconds, its status every five minutes. */
import type { KubeClient } from "@travelops/kube";
import { isAlreadyExists, isNotFound } from "@travelops/kube";
import { formatMicroTime, steadyNow, type Clock } from "@travelops/kube/api/clock.ts";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type { Lease, Node } from "@travelops/kube/api/types/index.ts";
import { LEASES, NODES } from "@travelops/kube/client/resources.ts";
import { nodeConditions, nodeLabels, nodeStatus, type NodeSettings } from "./node-object.ts";

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
const RETRY_MS = 1000;
const SILENCE_MS = 25_000;
const STATUS_MS = 300_000;

export interface Registration {
  /** Writes the status now: something of it has changed. */
  refresh(): void;
  close(): void;
}

export interface RegistrationOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: NodeSettings;
  readonly sandbox: string;
  /** With each sign of life. */
  readonly onBeat?: () => void;
  readonly diskPressure?: () => boolean;
  /** There is nothing that pods could run in. */
  readonly runtimeDown?: () => boolean;
}

/** Resolves once the Node stands and is Ready. */
export async function registerNode(options: RegistrationOptions): Promise<Registration> {
  await ensureNode(options);
  await writeStatus(options);
  await renewLease(options);
  const timers = new Map<string, () => void>();
  let closed = false;
  const every = (name: string, ms: number, work: () => Promise<void>): (() => void) => {
    const run = async (): Promise<void> => {
      let next = ms;
      try {
        await work();
      } catch (error) {
        next = RETRY_MS;
        if (!closed)
          options.log.warn(`the node's ${name} was not written`, { node: options.settings.name, err: error });
      }
      if (!closed)
        timers.set(
          name,
          options.clock.setTimeout(() => void run(), next),
        );
    };
    timers.set(
      name,
      options.clock.setTimeout(() => void run(), ms),
    );
    return () => {
      timers.get(name)?.();
      void run();
    };
  };
  let renewedAt = steadyNow(options.clock);
  every("lease", RENEW_MS, async () => {
    options.onBeat?.();
    await renewLease(options);
    const now = steadyNow(options.clock);
    // After a long silence (the machine slept) the node may have been given up: only its status takes that back.
    if (now - renewedAt > SILENCE_MS) await writeStatus(options);
    renewedAt = now;
  });
  const statusNow = every("status", STATUS_MS, () => writeStatus(options));
  return {
    refresh: () => statusNow(),
    close() {
      closed = true;
      for (const cancel of timers.values()) cancel();
    },
  };
}

async function ensureNode({ client, settings }: RegistrationOptions): Promise<void> {
  const labels = nodeLabels(settings);
  const spec = { podCIDR: settings.podCIDR, podCIDRs: [settings.podCIDR], providerID: `travelops://${settings.name}` };
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: settings.name,
      labels,
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
    },
    spec: { ...spec, ...(settings.taints === undefined ? {} : { taints: [...settings.taints] }) },
  };
  try {
    await client.create(NODES, node);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // What users set on it (cordon, taints, own labels) stays.
    await client.patch(NODES, "", settings.name, "application/merge-patch+json", { metadata: { labels } });
  }
}

async function writeStatus(options: RegistrationOptions): Promise<void> {
  const { client, clock, settings, sandbox } = options;
  const live = await client.get(NODES, "", settings.name);
  const status = {
    ...nodeStatus(settings, sandbox),
    conditions: nodeConditions(live.status?.conditions, clock.now(), {
      diskPressure: options.diskPressure?.() === true,
      runtimeDown: options.runtimeDown?.() === true,
    }),
  };
  await client.patch(
    NODES,
    "",
    settings.name,
    "application/strategic-merge-patch+json",
    { status },
    { subresource: "status" },
  );
}

async function renewLease({ client, clock, settings }: RegistrationOptions): Promise<void> {
  const renewTime = formatMicroTime(clock.now());
  const spec = { holderIdentity: settings.name, leaseDurationSeconds: LEASE_SECONDS, renewTime };
  try {
    await client.patch(LEASES, LEASE_NAMESPACE, settings.name, "application/merge-patch+json", { spec });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: settings.name, namespace: LEASE_NAMESPACE },
      spec,
    };
    await client.create(LEASES, lease);
  }
}
