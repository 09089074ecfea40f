/** What an API server is made from, and the one object its handlers share. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import type { FieldError, KubeObject } from "@travelops/kube";
import type { ResourceRow } from "@travelops/kube/schema/node";
import type { Store } from "../store/store.ts";
import type { Aggregation } from "./aggregation/aggregation.ts";
import type { CertificatePair } from "./pki/certificate-authority.ts";
import type { FrontProxy } from "./pki/cluster-pki.ts";
import type { AccessControl } from "./access.ts";
import type { WebhookIndex } from "./admission/webhooks/webhook-index.ts";
import type { NodeAccess, UserInfo } from "./api-server.ts";
import type { ResourceRequest } from "./request/request-info.ts";
import type { Auditor } from "./audit/auditor.ts";
import type { FlowControl } from "./flow-control/flow-control.ts";
import type { Registry, ServedResource } from "./registry/registry.ts";
import type { Metrics } from "./system/metrics.ts";
import type { WatchHub } from "./watch/watch-hub.ts";
import type { WebhookClient } from "./webhook-client/webhook-client.ts";

export interface TlsFiles {
  /** PEM; the chain, leaf first. */
  readonly cert: string;
  readonly key: string;
  /** PEM of the CA that client certificates come from. */
  readonly clientCa: string;
}

/** Takes over an upgraded HTTP/1.1 connection: exec, attach, port-forward and proxied upgrades. */
export type Upgrade = (
  info: ResourceRequest,
  user: UserInfo,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => void;

/** Faults beyond the schema, as `validation/` finds them. `old` is undefined on create. */
export type ValidateObject = (
  row: ResourceRow,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string,
) => FieldError[];

export interface ApiServerOptions {
  readonly store: Store;
  readonly access: AccessControl;
  readonly tls: TlsFiles;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** UUIDs for objects. */
  readonly uuid?: () => string;
  readonly log: Logger;
  /** IPv4 range of Services, e.g. 10.64.0.0/16; its first address is the API's own. */
  readonly serviceRange: string;
  /** Inclusive; 30000–32767 where absent. */
  readonly nodePorts?: { readonly first: number; readonly last: number };
  /** Where clients find the server, for the `kubernetes` Endpoints. */
  readonly advertise?: { readonly address: string; readonly port: number };
  /** PEM of the CA that pods trust; goes to `extension-apiserver-authentication`. */
  readonly clientCaBundle?: string;
  /** How this server shows other API servers that a request is passed on by it. */
  readonly frontProxy?: FrontProxy;
  /** Writes requests down as a policy says. */
  readonly audit?: Auditor;
  readonly limits?: Partial<Limits>;
  readonly validate?: ValidateObject;
  readonly upgrade?: Upgrade;
}

export interface Limits {
  readonly bodyBytes: number;
  /** Reads and writes together are what priority levels share. */
  readonly readsInFlight: number;
  readonly writesInFlight: number;
  /** Bytes a watcher may lag behind before it is cut off. */
  readonly watchBacklogBytes: number;
  readonly gzipFromBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 3 * 1024 * 1024,
  readsInFlight: 400,
  writesInFlight: 200,
  watchBacklogBytes: 32 * 1024 * 1024,
  gzipFromBytes: 128 * 1024,
};

/** What every handler gets. */
export interface ServerCore {
  readonly store: Store;
  /** Within a request for what a webhook converts: an object of it in another served version. */
  readonly shownAs?: (target: ServedResource, object: KubeObject) => KubeObject;
  readonly access: AccessControl;
  readonly clock: Clock;
  readonly random: () => number;
  readonly uuid: () => string;
  readonly log: Logger;
  readonly registry: Registry;
  readonly watches: WatchHub;
  readonly metrics: Metrics;
  readonly limits: Limits;
  readonly validate: ValidateObject;
  readonly webhooks: WebhookClient;
  /** Which webhooks have a say in a request. */
  readonly admissionWebhooks: WebhookIndex;
  /** Undefined without an audit policy. */
  readonly audit: Auditor | undefined;
  readonly flows: FlowControl;
  /** Group versions that other servers serve. */
  readonly aggregation: Aggregation;
  /** Shown to them. */
  readonly frontProxy: CertificatePair | undefined;
  nodeAccess: NodeAccess | undefined;
  /** Set once bootstrap is done: readiness. */
  ready: boolean;
  readonly closing: AbortSignal;
}
