/**
 * The three questions the handler chain asks before it does anything: who is it, may they, and in what form.
 * Implemented in `authentication/`, `authorization/` and `admission/`; put together by `access-control.ts`.
 */
import type { X509Certificate } from "node:crypto";
import type { KubeObject } from "@travelops/kube";
import type { UserInfo } from "./api-server.ts";

/** What a request shows of its sender. */
export interface RequestFacts {
  /** Lower-case names, as node:http has them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `socket.getPeerX509Certificate()`, verified or not: `authenticate` verifies it against the cluster's CA. */
  readonly peerCertificate?: X509Certificate;
}

/**
 * Undefined: no credentials were shown; only `isPublicPath` may then be served (as `ANONYMOUS`), all else is a 401.
 * Throws `StatusError` 401 for credentials that do not hold, 403 for an impersonation that is not allowed.
 * Impersonation is already applied to the result.
 */
export type Authenticate = (facts: RequestFacts) => Promise<UserInfo | undefined>;

/** Who asks without credentials. */
export const ANONYMOUS: UserInfo = { name: "system:anonymous", groups: ["system:unauthenticated"] };

const PUBLIC_PATHS: ReadonlySet<string> = new Set(["/healthz", "/livez", "/readyz", "/version", "/version/"]);

/** Health and version: the only paths that need no credentials. */
export const isPublicPath = (path: string): boolean =>
  PUBLIC_PATHS.has(path) || path.startsWith("/livez/") || path.startsWith("/readyz/") || path.startsWith("/healthz/");

export interface AuthorizationAttributes {
  readonly user: UserInfo;
  /** get list watch create update patch delete deletecollection, or another word a role may grant (impersonate, escalate, bind, use). For paths: get, post … */
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** "" for cluster-scoped resources and for all namespaces. */
  readonly namespace: string;
  readonly name: string;
  /** Set for a request that is no resource (`/version`, `/metrics`): then all but user and verb are ignored. */
  readonly path?: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** Why, for reviews and logs. */
  readonly reason: string;
}

/** Synchronous: RBAC stands in memory, indexed. `forbiddenError(attributes, decision)` makes the 403. */
export type Authorize = (attributes: AuthorizationAttributes) => Decision;

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** The request as its sender has it, for who has to show it to others (webhooks, policies). */
export interface AdmissionRequestFacts {
  /** The version in the path. */
  readonly version: string;
  /** What `object` is: the resource's kind, or that of a subresource with a kind of its own (Scale, Binding, …). */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; undefined on CONNECT. */
  readonly options: () => Readonly<Record<string, unknown>> | undefined;
  /** An object of the stored version in another one that is served; objects of other kinds stay as they are. */
  readonly convert: (object: KubeObject, version: string) => KubeObject;
}

/** Says something of a request in its audit events; what shows of its content only where those show it too. */
export type Annotate = (key: string, value: string, least?: "Request") => void;

export interface AdmissionAttributes {
  readonly operation: Operation;
  readonly user: UserInfo;
  readonly group: string;
  /** The version objects are stored in, and `object` and `oldObject` stand in. */
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly kind: string;
  /** "" for cluster-scoped resources. */
  readonly namespace: string;
  /** "" while generateName is not resolved. */
  readonly name: string;
  /** As it would be stored: decoded, pruned and defaulted. Undefined on DELETE. */
  readonly object: KubeObject | undefined;
  /** As stored now; undefined on CREATE. */
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
  /** Tells the sender something that does not refuse the request: a `Warning` header. */
  readonly warn?: (text: string) => void;
  /** Absent where the request is not audited. */
  readonly annotate?: Annotate;
  /** What the request was made in, where it is known: its version, the kind of its body, and its options. */
  readonly request?: AdmissionRequestFacts;
}

/**
 * The built-in plug-ins in upstream's phases. Between them stand, where a configuration asks for it, webhooks:
 * `mutate` → mutating webhooks → strategy and its validation → `validate` → validating webhooks → `charge`.
 * Each phase throws `StatusError` to refuse. Synchronous and without writes, hence fit to be called inside
 * `store.write`'s change.
 */
export interface Admission {
  /** Changes what comes in (CREATE, UPDATE). Returns the object to go on with, the same one where nothing changed. */
  mutate(attributes: AdmissionAttributes): KubeObject | undefined;
  /** Checks what came out of all changes, with RBAC's escalate and bind checks; on DELETE and CONNECT too. */
  validate(attributes: AdmissionAttributes): void;
  /** Last of all: what is refused by anybody else uses nothing of a quota. */
  charge(attributes: AdmissionAttributes): void;
}

/** Resources that are answers, never stored: tokenreviews, the access reviews, selfsubjectreviews. */
export type AnswerReview = (request: {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly user: UserInfo;
  readonly object: KubeObject;
}) => Promise<KubeObject>;

/** `POST serviceaccounts/NAME/token`: the TokenRequest with its status filled. Throws `StatusError`. */
export type IssueToken = (request: {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly object: KubeObject;
  /** Told by which id the token will be known again. */
  readonly annotate?: Annotate;
}) => Promise<KubeObject>;

/** All of it, for one cluster. */
export interface AccessControl {
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly admission: Admission;
  readonly answerReview: AnswerReview;
  readonly issueToken: IssueToken;
  /** Bodies of `/.well-known/openid-configuration` and `/openid/v1/jwks`. */
  readonly openidConfiguration: () => unknown;
  readonly jwks: () => unknown;
  close(): void;
}
