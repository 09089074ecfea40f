/** `authorizer` in expressions of admission: may somebody do something? */
import type { Registry } from "./functions.ts";
import { CelFault } from "./kinds.ts";

export interface CelUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface CelQuestion {
  readonly user: CelUser;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Set for what is no resource. */
  readonly path?: string;
}

export type CelAuthorize = (question: CelQuestion) => { readonly allowed: boolean; readonly reason: string };

class Decision {
  readonly allowed: boolean;
  readonly reason: string;
  constructor(allowed: boolean, reason: string) {
    this.allowed = allowed;
    this.reason = reason;
  }
}

/** What is asked about, as far as it was said; `requestResource` is what the request itself asks for. */
class Asked {
  readonly authorize: CelAuthorize;
  readonly question: Omit<CelQuestion, "verb">;
  constructor(authorize: CelAuthorize, question: Omit<CelQuestion, "verb">) {
    this.authorize = authorize;
    this.question = question;
  }
  check(verb: string): Decision {
    const { allowed, reason } = this.authorize({ ...this.question, verb });
    return new Decision(allowed, reason);
  }
}
class PathCheck extends Asked {}
class GroupCheck extends Asked {}
class ResourceCheck extends Asked {
  with(more: Partial<CelQuestion>): ResourceCheck {
    return new ResourceCheck(this.authorize, { ...this.question, ...more });
  }
}

const NOTHING = { group: "", resource: "", subresource: "", namespace: "", name: "" };

export class CelAuthorizer {
  readonly authorize: CelAuthorize;
  readonly user: CelUser;
  readonly requestResource: unknown;
  constructor(authorize: CelAuthorize, user: CelUser, request: Omit<CelQuestion, "verb" | "user" | "path">) {
    this.authorize = authorize;
    this.user = user;
    this.requestResource = new ResourceCheck(authorize, { user, ...request });
  }
}

const notEmpty = (text: string, what: string): string => {
  if (text.trim() === "") throw new CelFault(`${what} must not be empty`);
  return text;
};

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function serviceAccount(of: CelAuthorizer, namespace: string, name: string): CelAuthorizer {
  if (!SUBDOMAIN.test(name) || name.length > 253) throw new CelFault("Invalid service account name");
  if (!LABEL.test(namespace)) throw new CelFault("Invalid service account namespace");
  const user = {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
  };
  return new CelAuthorizer(of.authorize, user, NOTHING);
}

const KIND = "kubernetes.authorization";

/** Registers the types and functions; the variable `authorizer` is a `CelAuthorizer`. */
export function addAuthorizer(env: Registry): void {
  env
    .registerType(`${KIND}.Decision`, { ctor: Decision, fields: {} })
    .registerType(`${KIND}.PathCheck`, { ctor: PathCheck, fields: {} })
    .registerType(`${KIND}.GroupCheck`, { ctor: GroupCheck, fields: {} })
    .registerType(`${KIND}.ResourceCheck`, { ctor: ResourceCheck, fields: {} })
    .registerType(`${KIND}.Authorizer`, {
      ctor: CelAuthorizer,
      fields: { requestResource: `${KIND}.ResourceCheck` },
    })
    .registerFunction(
      `${KIND}.Authorizer.path(string): ${KIND}.PathCheck`,
      ({ authorize, user }: CelAuthorizer, path: string) =>
        new PathCheck(authorize, { ...NOTHING, user, path: notEmpty(path, "path") }),
    )
    .registerFunction(
      `${KIND}.Authorizer.group(string): ${KIND}.GroupCheck`,
      ({ authorize, user }: CelAuthorizer, group: string) => new GroupCheck(authorize, { ...NOTHING, user, group }),
    )
    .registerFunction(`${KIND}.Authorizer.serviceAccount(string, string): ${KIND}.Authorizer`, serviceAccount)
    .registerFunction(
      `${KIND}.GroupCheck.resource(string): ${KIND}.ResourceCheck`,
      ({ authorize, question }: GroupCheck, resource: string) =>
        new ResourceCheck(authorize, { ...question, resource: notEmpty(resource, "resource") }),
    );
  for (const part of ["subresource", "namespace", "name"] as const)
    env.registerFunction(
      `${KIND}.ResourceCheck.${part}(string): ${KIND}.ResourceCheck`,
      (check: ResourceCheck, value: string) => check.with({ [part]: value }),
    );
  // RBAC knows no selectors: who may only see some objects may see none of them by it.
  for (const part of ["fieldSelector", "labelSelector"])
    env.registerFunction(
      `${KIND}.ResourceCheck.${part}(string): ${KIND}.ResourceCheck`,
      (check: ResourceCheck) => check,
    );
  for (const kind of ["PathCheck", "ResourceCheck"])
    env.registerFunction(`${KIND}.${kind}.check(string): ${KIND}.Decision`, (asked: Asked, verb: string) =>
      asked.check(verb),
    );
  env
    .registerFunction(`${KIND}.Decision.allowed(): bool`, ({ allowed }: Decision) => allowed)
    .registerFunction(`${KIND}.Decision.reason(): string`, ({ reason }: Decision) => reason)
    .registerFunction(`${KIND}.Decision.errored(): bool`, () => false)
    .registerFunction(`${KIND}.Decision.error(): string`, () => "");
}
