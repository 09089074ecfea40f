/** TokenReview and SelfSubjectReview: who a token, or the sender, is. */
import { badRequest } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import type { Clock } from "@travelops/kube/api/clock";
import type { AnswerReview } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import type { VerifyToken } from "./authenticator.ts";
import { TokenError } from "./service-account-tokens.ts";

/** Answers one of the reviews of `authentication.k8s.io`; undefined for another resource. */
export async function answerIdentityReview(
  verifyToken: VerifyToken,
  issuer: string,
  clock: Clock,
  { group, resource, user, object }: Parameters<AnswerReview>[0],
): Promise<KubeObject | undefined> {
  if (group !== "authentication.k8s.io") return undefined;
  if (resource === "selfsubjectreviews") {
    return {
      ...object,
      metadata: { creationTimestamp: formatTime(clock.now()) },
      status: { userInfo: describeUser(user) },
    };
  }
  if (resource !== "tokenreviews") return undefined;
  const { token = "", audiences = [] } = (object["spec"] ?? {}) as { token?: string; audiences?: string[] };
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  return {
    ...object,
    status: await reviewToken(verifyToken, token, audiences.length > 0 ? audiences : [issuer]),
  };
}

async function reviewToken(verifyToken: VerifyToken, token: string, audiences: readonly string[]): Promise<object> {
  try {
    const identity = await verifyToken(token, audiences);
    return { authenticated: true, user: describeUser(identity.user), audiences: identity.audiences };
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    // Whose token it is nobody says; why one of a ServiceAccount no longer holds is told.
    const why = error.recognized ? `[invalid bearer token, ${error.message}]` : "invalid bearer token";
    return { user: {}, error: why };
  }
}

/** A user in the API's form. */
function describeUser({ name, uid, groups, extra }: UserInfo): object {
  return {
    username: name,
    ...(uid === undefined || uid === "" ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
