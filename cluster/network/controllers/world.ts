/** What the compilers of Routes, Ingresses and Gateways look up; a snapshot of the informers, or tables in tests. */
import type { Condition, KubeObject, Service } from "@travelops/kube";
import type { BackendTarget, FrontConfig } from "../config.ts";
import type { KeyPair, KeyPairs } from "./key-pair.ts";
import type { Gateway, GatewayClass, ReferenceGrant } from "./types.ts";

export interface World {
  readonly appsDomain: string;
  service(namespace: string, name: string): Service | undefined;
  /** `tls.crt` and `tls.key` of a Secret, decoded; `undefined` also where they cannot be served. */
  certificate(namespace: string, name: string): KeyPair | undefined;
  readonly keyPairs: KeyPairs;
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
  readonly grants: readonly ReferenceGrant[];
  readonly gatewayClasses: readonly GatewayClass[];
  readonly gateways: readonly Gateway[];
}

export type WantedCondition = Omit<Condition, "lastTransitionTime">;

/** What an object's status should say; times are put in when it is written. */
export interface Compiled<S> {
  readonly front: FrontConfig | undefined;
  readonly status: S;
}

export const createdAt = (object: KubeObject): number => Date.parse(object.metadata.creationTimestamp ?? "") || 0;

export const ownerOf = (object: KubeObject): string =>
  `${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;

/** The host an object gets when it names none. */
export const defaultHost = (object: KubeObject, appsDomain: string): string =>
  `${object.metadata.name ?? ""}-${object.metadata.namespace ?? ""}.${appsDomain}`;

/** A target for a port of a Service; `appProtocol` tells HTTP/2 without TLS. */
export function targetOf(service: Service, port: number, extra: Partial<BackendTarget> = {}): BackendTarget {
  const row = service.spec.ports?.find((p) => p.port === port);
  const h2c = row?.appProtocol === "kubernetes.io/h2c" || row?.appProtocol === "grpc";
  return {
    service: `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`,
    port,
    protocol: h2c ? "h2c" : "http",
    ...extra,
  };
}
