import { createHash } from "node:crypto";
import { unauthorized } from "@travelops/kube";
import type { Authenticate, Authorize, RequestFacts } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { impersonate } from "./impersonation.ts";
import { TokenError } from "./service-account-tokens.ts";
import type { ServiceAccountTokens, TokenIdentity } from "./service-account-tokens.ts";

/** A bearer token that stands for a user as long as the process lives. */
export interface StaticToken {
  readonly token: string;
  readonly user: UserInfo;
}

/** Whom a bearer token names; rejects with `TokenError`. */
export type VerifyToken = (token: string, audiences: readonly string[]) => Promise<TokenIdentity>;

/** Looks a token up among the static ones, then among those of ServiceAccounts. */
export function tokenVerifier(tokens: ServiceAccountTokens, staticTokens: readonly StaticToken[]): VerifyToken {
  // By digest: looking a token up tells nothing about the tokens that are near it.
  const byDigest = new Map(staticTokens.map(({ token, user }) => [digest(token), user]));
  return async (token, audiences) => {
    const user = byDigest.get(digest(token));
    if (user === undefined) return tokens.verify(token, audiences);
    const matching = audiences.filter((audience) => audience === tokens.issuer);
    if (matching.length === 0) throw new TokenError("the token is not for the target audiences");
    return {
      user: { ...user, groups: [...new Set([...user.groups, "system:authenticated"])] },
      audiences: matching,
    };
  };
}

const digest = (text: string): string => createHash("sha256").update(text).digest("base64");

export interface AuthenticatorOptions {
  readonly certificate: (certificate: NonNullable<RequestFacts["peerCertificate"]>) => UserInfo;
  readonly verifyToken: VerifyToken;
  readonly audiences: readonly string[];
  readonly authorize: Authorize;
}

/** A client certificate first, then a bearer token; impersonation on top. */
export function createAuthenticator({
  certificate,
  verifyToken,
  audiences,
  authorize,
}: AuthenticatorOptions): Authenticate {
  return async (facts) => {
    const token = bearerToken(facts.headers);
    const user =
      fromCertificate(facts, certificate, token !== undefined) ??
      (token === undefined ? undefined : await fromToken(token));
    return user === undefined ? undefined : impersonate(user, facts.headers, authorize);
  };

  async function fromToken(token: string): Promise<UserInfo> {
    try {
      return (await verifyToken(token, audiences)).user;
    } catch (error) {
      if (error instanceof TokenError) throw unauthorized();
      throw error;
    }
  }
}

function fromCertificate(
  facts: RequestFacts,
  read: AuthenticatorOptions["certificate"],
  hasToken: boolean,
): UserInfo | undefined {
  if (facts.peerCertificate === undefined) return undefined;
  try {
    return read(facts.peerCertificate);
  } catch (error) {
    // A foreign certificate does no harm beside a token that holds.
    if (hasToken) return undefined;
    throw error;
  }
}

const SUBPROTOCOL = "base64url.bearer.authorization.k8s.io.";

/** From `Authorization`, or, since browsers cannot set that on a WebSocket, from a subprotocol as upstream reads it. */
function bearerToken(headers: RequestFacts["headers"]): string | undefined {
  const header = headers["authorization"];
  const match = /^bearer +(\S+) *$/i.exec(typeof header === "string" ? header : "");
  if (match !== null) return match[1];
  const protocols = [headers["sec-websocket-protocol"] ?? []].flat().join(",").split(",");
  const carrier = protocols.map((protocol) => protocol.trim()).find((protocol) => protocol.startsWith(SUBPROTOCOL));
  return carrier === undefined
    ? undefined
    : Buffer.from(carrier.slice(SUBPROTOCOL.length), "base64url").toString("utf8");
}
