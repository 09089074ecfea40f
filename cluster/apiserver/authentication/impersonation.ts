/** `kubectl --as`: the sender speaks for someone else, if a role says they may. */
import { badRequest } from "@travelops/kube";
import type { Authorize, RequestFacts } from "../access.ts";
import { ANONYMOUS } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { forbiddenError } from "../authorization/authorizer.ts";

const EXTRA = "impersonate-extra-";
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

interface Asked {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** The user to act as: `user` itself where no impersonation is asked for. Throws a 403 or 400 `StatusError`. */
export function impersonate(user: UserInfo, headers: RequestFacts["headers"], authorize: Authorize): UserInfo {
  const asked = readHeaders(headers);
  if (asked === undefined) return user;
  const account = ACCOUNT.exec(asked.user);
  const check = (group: string, resource: string, name: string, subresource = "", namespace = ""): void => {
    const attributes = { user, verb: "impersonate", group, resource, subresource, namespace, name };
    const decision = authorize(attributes);
    if (!decision.allowed) throw forbiddenError(attributes, decision);
  };
  if (account !== null) check("", "serviceaccounts", account[2] ?? "", "", account[1]);
  else check("", "users", asked.user);
  for (const group of asked.groups) check("", "groups", group);
  if (asked.uid !== "") check("authentication.k8s.io", "uids", asked.uid);
  for (const [key, values] of Object.entries(asked.extra))
    for (const value of values) check("authentication.k8s.io", "userextras", value, key);
  return {
    name: asked.user,
    ...(asked.uid === "" ? {} : { uid: asked.uid }),
    groups: groupsOf(asked, account?.[1]),
    extra: asked.extra,
    impersonator: user,
  };
}

function groupsOf({ user, groups }: Asked, accountNamespace: string | undefined): string[] {
  if (user === ANONYMOUS.name) return [...new Set([...groups, ...ANONYMOUS.groups])];
  const implied =
    groups.length === 0 && accountNamespace !== undefined
      ? ["system:serviceaccounts", `system:serviceaccounts:${accountNamespace}`]
      : [];
  return [...new Set([...groups, ...implied, "system:authenticated"])];
}

function readHeaders(headers: RequestFacts["headers"]): Asked | undefined {
  const user = [headers["impersonate-user"] ?? ""].flat()[0] ?? "";
  const uid = [headers["impersonate-uid"] ?? ""].flat()[0] ?? "";
  const groups = valuesOf(headers["impersonate-group"]);
  const extra: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(EXTRA) && value !== undefined) extra[decodeKey(name.slice(EXTRA.length))] = valuesOf(value);
  }
  if (user !== "") return { user, uid, groups, extra };
  if (uid === "" && groups.length === 0 && Object.keys(extra).length === 0) return undefined;
  throw badRequest(
    "impersonation of groups, a uid or extra needs Impersonate-User, without which nobody is impersonated",
  );
}

/** node:http joins a header that was sent twice with ", ". */
const valuesOf = (value: string | readonly string[] | undefined): string[] =>
  (typeof value === "string" ? value.split(", ") : [...(value ?? [])]).filter((item) => item !== "");

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
