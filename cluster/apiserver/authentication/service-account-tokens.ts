/** ServiceAccount tokens: signed here, and valid only while what they are bound to exists. */
import type { Clock } from "@travelops/kube/api/clock";
import type { Store, StoredObject } from "../../store/store.ts";
import type { UserInfo } from "../api-server.ts";
import type { TokenKey } from "../pki/cluster-pki.ts";

export interface ObjectIdentity {
  readonly name: string;
  readonly uid: string;
}

/** The private claim `kubernetes.io`, in upstream's form. */
export interface KubernetesClaims {
  readonly namespace: string;
  readonly serviceaccount: ObjectIdentity;
  readonly pod?: ObjectIdentity;
  readonly secret?: ObjectIdentity;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly warnafter?: number;
}

export interface TokenContent {
  readonly audiences: readonly string[];
  /** Seconds since the epoch. */
  readonly expires: number;
  readonly id: string;
  readonly claims: KubernetesClaims;
}

export interface TokenIdentity {
  readonly user: UserInfo;
  /** Those of the wanted audiences that the token is for. */
  readonly audiences: readonly string[];
}

/** A token is not valid; `message` says why, for a TokenReview. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  /** Whether it is a token of ours at all, of which something can be said. */
  readonly recognized: boolean;
  constructor(message: string, recognized = true) {
    super(message);
    this.recognized = recognized;
  }
}

const ALGORITHM = "ES256";
/** A deleted pod's token works on for a moment, so that it can end in order. */
const DELETION_LEEWAY_MS = 60_000;
const KEPT_TOKENS = 2_000;

export interface ServiceAccountTokensOptions {
  readonly key: TokenKey;
  readonly issuer: string;
  readonly store: Store;
  readonly clock: Clock;
}

export class ServiceAccountTokens {
  readonly issuer: string;
  readonly #key: TokenKey;
  readonly #store: Store;
  readonly #clock: Clock;
  /** Tokens whose signature was checked. What they are bound to is checked each time. */
  readonly #checked = new Map<string, TokenContent>();

  constructor({ key, issuer, store, clock }: ServiceAccountTokensOptions) {
    this.issuer = issuer;
    this.#key = key;
    this.#store = store;
    this.#clock = clock;
  }

  async sign(content: TokenContent): Promise<string> {
    const { SignJWT } = await import("jose/jwt/sign");
    const now = Math.floor(this.#clock.now() / 1000);
    const { namespace, serviceaccount } = content.claims;
    return new SignJWT({ "kubernetes.io": { ...content.claims } })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#key.id })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${namespace}:${serviceaccount.name}`)
      .setAudience([...content.audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(content.expires)
      .setJti(content.id)
      .sign(this.#key.privateKey);
  }

  /** Whom the token names. Rejects with `TokenError`. */
  async verify(token: string, audiences: readonly string[]): Promise<TokenIdentity> {
    const content = await this.#content(token);
    if (content.expires * 1000 <= this.#clock.now()) throw new TokenError("service account token has expired");
    const matching = content.audiences.filter((audience) => audiences.includes(audience));
    if (matching.length === 0) {
      throw new TokenError(
        `token audiences ${JSON.stringify(content.audiences)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      );
    }
    this.#checkObjects(content.claims);
    return { user: userOf(content), audiences: matching };
  }

  async #content(token: string): Promise<TokenContent> {
    const known = this.#checked.get(token);
    if (known !== undefined) return known;
    const { jwtVerify } = await import("jose/jwt/verify");
    const options = {
      issuer: this.issuer,
      algorithms: [ALGORITHM],
      currentDate: new Date(this.#clock.now()),
      requiredClaims: ["sub", "aud", "exp"],
    };
    const { payload } = await jwtVerify(token, this.#key.publicKey, options).catch((error: unknown) => {
      const expired = (error as { code?: string }).code === "ERR_JWT_EXPIRED";
      throw expired
        ? new TokenError("service account token has expired")
        : new TokenError("the token is not signed by this cluster, or malformed", false);
    });
    const claims = claimsOf(payload["kubernetes.io"]);
    if (
      claims === undefined ||
      payload.sub !== `system:serviceaccount:${claims.namespace}:${claims.serviceaccount.name}`
    ) {
      throw new TokenError("the token's claims do not name a service account");
    }
    const content = {
      audiences: [payload.aud ?? []].flat(),
      expires: payload.exp ?? 0,
      id: payload.jti ?? "",
      claims,
    };
    const [oldest] = this.#checked.size >= KEPT_TOKENS ? this.#checked.keys() : [];
    if (oldest !== undefined) this.#checked.delete(oldest);
    this.#checked.set(token, content);
    return content;
  }

  #checkObjects({ namespace, serviceaccount, pod, secret, node }: KubernetesClaims): void {
    this.#check("serviceaccounts.", namespace, serviceaccount);
    if (pod !== undefined) this.#check("pods.", namespace, pod);
    if (secret !== undefined) this.#check("secrets.", namespace, secret);
    // A pod's token names its node for information; one bound to the node alone lives with it.
    if (node !== undefined && pod === undefined) this.#check("nodes.", "", node);
  }

  #check(table: string, namespace: string, identity: { readonly name: string; readonly uid?: string }): void {
    const found: StoredObject | undefined = this.#store.get({ table, namespace, name: identity.name });
    const { uid, deletionTimestamp } = found?.object.metadata ?? {};
    const ended =
      deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + DELETION_LEEWAY_MS < this.#clock.now();
    if (found === undefined || uid !== identity.uid || ended) {
      throw new TokenError(
        `the token is bound to ${table.slice(0, -1)} ${JSON.stringify(identity.name)}, which is gone`,
      );
    }
  }
}

/** What a token is known by wherever its bearer is named: in reviews, and in the audit log. */
export const credentialIdOf = (id: string): string => `JTI=${id}`;

function userOf({ claims, id }: TokenContent): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims;
  const extra: Record<string, readonly string[]> = {};
  const add = (key: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") extra[`authentication.kubernetes.io/${key}`] = [value];
  };
  add("credential-id", id === "" ? undefined : credentialIdOf(id));
  add("node-name", node?.name);
  add("node-uid", node?.uid);
  add("pod-name", pod?.name);
  add("pod-uid", pod?.uid);
  return {
    name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra,
  };
}

function claimsOf(value: unknown): KubernetesClaims | undefined {
  const claims = value as Partial<KubernetesClaims> | undefined;
  const { name, uid } = claims?.serviceaccount ?? {};
  return typeof claims?.namespace === "string" && typeof name === "string" && typeof uid === "string"
    ? (claims as KubernetesClaims)
    : undefined;
}
