/**
 * Which repository a webhook's payload speaks of: GitHub, Gitea, Gogs, GitLab and Bitbucket Server forms.
 * The payload is not trusted: it only makes the engine look.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

type Payload = Record<string, unknown>;

const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Payload)[key] : undefined),
    value,
  );

/** URLs under which the pushed repository may be known. Empty: this is no push. */
export function pushedRepositories(payload: unknown): string[] {
  const candidates = [
    at(payload, "repository", "html_url"),
    at(payload, "repository", "clone_url"),
    at(payload, "repository", "ssh_url"),
    at(payload, "repository", "url"),
    at(payload, "project", "web_url"),
    at(payload, "project", "git_http_url"),
    at(payload, "project", "git_ssh_url"),
  ];
  return [...new Set(candidates.filter((url): url is string => typeof url === "string" && url !== ""))];
}

/** With a secret, only a body signed with it counts (X-Hub-Signature-256, X-Gitea-Signature, X-Gitlab-Token). */
export function isAuthentic(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  secret: string | undefined,
): boolean {
  if (secret === undefined || secret === "") return true;
  const header = (name: string): string => {
    const value = headers[name];
    return typeof value === "string" ? value : "";
  };
  const expected = createHmac("sha256", secret).update(body).digest("hex");
  const given =
    header("x-hub-signature-256").replace(/^sha256=/, "") || header("x-gitea-signature") || header("x-gogs-signature");
  if (given !== "") return sameText(given, expected);
  return header("x-gitlab-token") !== "" && sameText(header("x-gitlab-token"), secret);
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
