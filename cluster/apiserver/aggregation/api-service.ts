/** An APIService as the server reads it. */
import type { KubeObject } from "@travelops/kube";

export const API_SERVICES = "apiservices.apiregistration.k8s.io";

export interface ApiServiceCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string | null;
}

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** A group version that another server serves. */
export interface RemoteApi {
  /** Of the APIService. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly service: ServiceReference;
  /** PEM. */
  readonly ca: string | undefined;
  readonly verify: boolean;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly available: boolean;
}

interface ApiServiceSpec {
  readonly group?: string;
  readonly version?: string;
  readonly service?: { readonly namespace?: string; readonly name?: string; readonly port?: number } | null;
  readonly caBundle?: string;
  readonly insecureSkipTLSVerify?: boolean;
  readonly groupPriorityMinimum?: number;
  readonly versionPriority?: number;
}

export const conditionsOf = (object: KubeObject): readonly ApiServiceCondition[] =>
  (object["status"] as { readonly conditions?: readonly ApiServiceCondition[] } | undefined)?.conditions ?? [];

/** What every APIService without a Service says. */
export const localCondition = (now: string): ApiServiceCondition => ({
  type: "Available",
  status: "True",
  lastTransitionTime: now,
  reason: "Local",
  message: "Local APIServices are always available",
});

/** Undefined for one that is served here. */
export function remoteApi(object: KubeObject): RemoteApi | undefined {
  const spec = object["spec"] as ApiServiceSpec | undefined;
  const service = spec?.service;
  if (service === undefined || service === null) return undefined;
  const ca = Buffer.from(spec?.caBundle ?? "", "base64").toString("utf8");
  return {
    name: object.metadata.name ?? "",
    group: spec?.group ?? "",
    version: spec?.version ?? "",
    service: { namespace: service.namespace ?? "", name: service.name ?? "", port: service.port ?? 443 },
    ca: ca === "" ? undefined : ca,
    verify: spec?.insecureSkipTLSVerify !== true,
    groupPriority: spec?.groupPriorityMinimum ?? 0,
    versionPriority: spec?.versionPriority ?? 0,
    available: conditionsOf(object).some(({ type, status }) => type === "Available" && status === "True"),
  };
}
