/** A CertificateSigningRequest as the controller reads it. */
import type { KubeObject } from "@travelops/kube";

export interface RequestCondition {
  readonly type: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
}

export interface SigningRequest extends KubeObject {
  readonly spec?: {
    readonly request?: string;
    readonly signerName?: string;
    readonly usages?: readonly string[];
    readonly expirationSeconds?: number;
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly status?: {
    readonly conditions?: readonly RequestCondition[];
    /** Base64 of PEM. */
    readonly certificate?: string;
  };
}

export const conditionOf = (request: SigningRequest, type: string): RequestCondition | undefined =>
  request.status?.conditions?.find((condition) => condition.type === type);

/** PEM of the issued certificate. */
export function certificateOf({ status }: SigningRequest): string | undefined {
  const base64 = status?.certificate ?? "";
  return base64 === "" ? undefined : Buffer.from(base64, "base64").toString("latin1");
}

/** PEM of what is asked for. */
export const requestOf = ({ spec }: SigningRequest): string =>
  Buffer.from(spec?.request ?? "", "base64").toString("latin1");
