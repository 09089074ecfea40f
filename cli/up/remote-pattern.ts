/** A pattern that lives in a repository elsewhere: the URL as pods reach it, and the credentials taken out of it. */
import { patternUnusable } from "../errors.ts";

/** How pods name this machine, for the one port that was opened to them. */
export const HOST_ALIAS = "host.travelops.internal";

export interface RemotePattern {
  kind: "url";
  /** Without credentials; a repository on this machine's loopback by the alias that pods know. */
  url: string;
  revision: string;
  credentials?: { username: string; password: string };
  /** The port of this machine that pods may reach. */
  hostPort?: number;
}

const ANY_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SCP_LIKE = /^[\w.-]+@[\w.-]+:/;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export const isRemote = (text: string): boolean => ANY_SCHEME.test(text) || SCP_LIKE.test(text);

export function remotePattern(text: string, revision: string): RemotePattern {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    const shown = text.replace(/\/\/[^@/]*@/, "//");
    throw patternUnusable(shown, "only http and https repositories can be followed");
  }
  const credentials = credentialsOf(url);
  url.username = "";
  url.password = "";
  const local = LOOPBACK.test(url.hostname);
  const hostPort = local ? Number(url.port || (url.protocol === "https:" ? 443 : 80)) : undefined;
  if (local) url.hostname = HOST_ALIAS;
  return {
    kind: "url",
    url: url.href,
    revision,
    ...(credentials === undefined ? {} : { credentials }),
    ...(hostPort === undefined ? {} : { hostPort }),
  };
}

/** `user:password@`, or a token alone, which Git's hosts take as the password of any user. */
function credentialsOf({ username, password }: URL): RemotePattern["credentials"] {
  if (username === "" && password === "") return undefined;
  if (password === "") return { username: "git", password: decodeURIComponent(username) };
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}
