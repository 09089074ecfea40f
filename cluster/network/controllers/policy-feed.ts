/** Keeps the dataplane's rows of NetworkPolicies as policies, pods and namespaces are; idle while there is no policy. */
import type { EventRecorder } from "@travelops/kube";
import type { ClusterAddresses } from "../address.ts";
import type { PolicyEnforcement } from "../config.ts";
import type { DataplaneLink } from "./dataplane-link.ts";
import { controllerFor } from "./gateway-listeners.ts";
import { compilePolicy, peerOfPod, type NetworkPolicy, type PolicyWorld } from "./network-policy.ts";
import { policyNamespaceLabels, servicePeers } from "./policy-peers.ts";
import type { Watched } from "./watched.ts";

export interface PolicyFeedOptions {
  readonly watched: Pick<Watched, "networkPolicies" | "pods" | "namespaces" | "gateways" | "gatewayClasses">;
  readonly link: Pick<DataplaneLink, "set" | "keys">;
  readonly addresses: ClusterAddresses;
  readonly events: EventRecorder;
}

const keyOf = ({ metadata }: NetworkPolicy): string => `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;

export class PolicyFeed {
  readonly #options: PolicyFeedOptions;
  #dirty = true;
  #enforcement: PolicyEnforcement = { kind: "full" };
  /** Policies whose users know that they are not enforced in full. */
  readonly #told = new Set<string>();

  constructor(options: PolicyFeedOptions) {
    this.#options = options;
  }

  /** Something that policies may depend on has changed. */
  mark(): void {
    this.#dirty = true;
  }

  /** Whether all that rows are made of is known. */
  get ready(): boolean {
    const { networkPolicies, pods, namespaces } = this.#options.watched;
    return networkPolicies.hasSynced && pods.hasSynced && namespaces.hasSynced;
  }

  /** Sets the rows; they go out with the link's next flush. */
  flush(): void {
    if (!this.#dirty || !this.ready) return;
    this.#dirty = false;
    const { watched, link } = this.#options;
    const policies = watched.networkPolicies.list();
    const gone = new Set(link.keys("policies"));
    if (policies.length === 0 && gone.size === 0) return;
    const world = this.#world();
    for (const policy of policies) {
      gone.delete(keyOf(policy));
      link.set("policies", keyOf(policy), compilePolicy(policy, world));
    }
    for (const key of gone) link.set("policies", key, null);
    this.#tell();
  }

  #world(): PolicyWorld {
    const { watched, addresses } = this.#options;
    const served = watched.gateways
      .list()
      .filter((gateway) => controllerFor(watched.gatewayClasses.get("", gateway.spec.gatewayClassName)) !== undefined);
    return {
      pods: watched.pods.list().flatMap((pod) => peerOfPod(pod) ?? []),
      services: servicePeers(addresses, served),
      namespaceLabels: (name) => policyNamespaceLabels(name, watched.namespaces.get("", name)?.metadata.labels),
    };
  }

  /** The dataplane has said how far it can enforce policies. */
  enforced(enforcement: PolicyEnforcement): void {
    this.#enforcement = enforcement;
    this.#told.clear();
    this.#tell();
  }

  #tell(): void {
    const { watched, events } = this.#options;
    if (this.#enforcement.kind === "full") return;
    for (const policy of watched.networkPolicies.list()) {
      const uid = policy.metadata.uid ?? "";
      if (this.#told.has(uid)) continue;
      this.#told.add(uid);
      events.record(policy, "Warning", "PartiallyEnforced", `Not enforced in full: ${this.#enforcement.why}`);
    }
  }
}
