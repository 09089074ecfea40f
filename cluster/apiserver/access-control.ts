import { notImplemented } from "@travelops/kube";
import type { Clock } from "@travelops/kube/api/clock";
import type { Store } from "../store/store.ts";
import type { AccessControl } from "./access.ts";
import { admissionChain } from "./admission/chain.ts";
import { claimResize } from "./admission/claim-resize.ts";
import { defaultIngressClass, defaultStorageClass } from "./admission/default-class.ts";
import { defaultTolerationSeconds } from "./admission/default-toleration-seconds.ts";
import { limitRanger } from "./admission/limit-ranger.ts";
import { namespaceLifecycle } from "./admission/namespace-lifecycle.ts";
import { nodeTaint } from "./admission/node-taint.ts";
import { ownerReferences } from "./admission/owner-references.ts";
import type { AdmissionPlugin } from "./admission/plugin.ts";
import { podSecurity } from "./admission/pod-security/pod-security.ts";
import { priority } from "./admission/priority.ts";
import { resourceOfKind, versionsOf } from "./admission/resource-of-kind.ts";
import { resourceQuota } from "./admission/resource-quota.ts";
import { runtimeClass } from "./admission/runtime-class.ts";
import { serviceAccountPlugin } from "./admission/service-account.ts";
import { ValidatingPolicies } from "./admission/validating-policy/validating-policy.ts";
import { createAuthenticator, tokenVerifier } from "./authentication/authenticator.ts";
import type { StaticToken } from "./authentication/authenticator.ts";
import { certificateAuthenticator } from "./authentication/client-certificate.ts";
import { answerIdentityReview } from "./authentication/identity-reviews.ts";
import { keySet, openidConfiguration } from "./authentication/openid.ts";
import { ServiceAccountTokens } from "./authentication/service-account-tokens.ts";
import { tokenIssuer } from "./authentication/token-request.ts";
import { answerAccessReview } from "./authorization/access-reviews.ts";
import { rbacAuthorizer } from "./authorization/authorizer.ts";
import { certificateSigners } from "./authorization/certificate-signers.ts";
import { checkEscalation } from "./authorization/escalation.ts";
import { RbacIndex } from "./authorization/rbac-index.ts";
import type { TokenKey } from "./pki/cluster-pki.ts";

export const DEFAULT_ISSUER = "https://kubernetes.default.svc";

export interface AccessControlOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly uuid: () => string;
  /** PEM of the CA of client certificates. */
  readonly clientCa: string;
  readonly tokenKey: TokenKey;
  /** `iss` of ServiceAccount tokens, and the audience of those for the API itself. */
  readonly issuer?: string;
  readonly staticTokens?: readonly StaticToken[];
  /** Run after the built-in ones, before quotas are charged. */
  readonly morePlugins?: readonly AdmissionPlugin[];
}

/** Authentication, authorization and admission of one cluster, over its store. */
export function createAccessControl(options: AccessControlOptions): AccessControl {
  const { store, clock, random, uuid, tokenKey, issuer = DEFAULT_ISSUER } = options;
  const index = new RbacIndex(store);
  const authorize = rbacAuthorizer(index);
  const tokens = new ServiceAccountTokens({ key: tokenKey, issuer, store, clock });
  const verifyToken = tokenVerifier(tokens, options.staticTokens ?? []);
  const kinds = resourceOfKind(store);
  const policies = new ValidatingPolicies({ store, authorize, resourceOfKind: kinds, versionsOf: versionsOf(store) });
  const plugins: AdmissionPlugin[] = [
    namespaceLifecycle,
    limitRanger,
    serviceAccountPlugin(random),
    nodeTaint,
    podSecurity,
    priority,
    defaultTolerationSeconds,
    defaultStorageClass,
    claimResize,
    defaultIngressClass,
    runtimeClass,
    ownerReferences(authorize, kinds),
    { name: "RBACEscalation", validate: (attributes) => checkEscalation(index, authorize, attributes) },
    certificateSigners(authorize),
    ...(options.morePlugins ?? []),
    policies,
    // Last: what is refused by another plug-in uses nothing.
    resourceQuota,
  ];
  return {
    authenticate: createAuthenticator({
      certificate: certificateAuthenticator(options.clientCa, clock),
      verifyToken,
      audiences: [issuer],
      authorize,
    }),
    authorize,
    admission: admissionChain(plugins, store),
    issueToken: tokenIssuer(tokens, store, clock, uuid),
    async answerReview(request) {
      const answer =
        answerAccessReview(index, authorize, request) ??
        (await answerIdentityReview(verifyToken, issuer, clock, request));
      if (answer === undefined) throw notImplemented(`the review ${request.resource}.${request.group}`);
      return answer;
    },
    openidConfiguration: () => openidConfiguration(issuer),
    jwks: () => keySet(tokenKey),
    close() {
      index.close();
      policies.close();
    },
  };
}
