/** Argo CD's repository Secrets: `argocd.argoproj.io/secret-type: repository` (one URL) and `repo-creds` (a prefix). */
import type { KubeObject } from "@travelops/kube";

export interface RepositoryCredentials {
  username: string;
  password: string;
  /** Skip verification of the server's certificate. */
  insecure: boolean;
}

export const SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type";

/** Two spellings of one repository are the same: case of the host, a trailing slash or `.git`. */
export function normalizeRepoUrl(url: string): string {
  const trimmed = url
    .trim()
    .replace(/\/+$/, "")
    .replace(/\.git$/, "");
  const parsed = URL.parse(trimmed);
  if (parsed === null) return trimmed.toLowerCase();
  parsed.username = "";
  parsed.password = "";
  return `${parsed.protocol}//${parsed.host.toLowerCase()}${parsed.pathname}`;
}

const read = (secret: KubeObject, key: string): string => {
  const data = secret["data"] as Record<string, string> | undefined;
  return Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
};

/** The prefix ends where a part of the URL ends: what is meant for `git.example.com` goes to no `git.example.com.evil`. */
function isBelow(url: string, prefix: string): boolean {
  if (prefix === "" || !url.startsWith(prefix)) return false;
  const next = url.charAt(prefix.length);
  return (
    next === "" ||
    next === "/" ||
    prefix.endsWith("/") ||
    prefix.endsWith(":") ||
    (next === ":" && !prefix.includes("://"))
  );
}

/** The exact repository wins, then the longest matching prefix. Undefined: the repository is asked without credentials. */
export function credentialsFor(url: string, secrets: readonly KubeObject[]): RepositoryCredentials | undefined {
  const wanted = normalizeRepoUrl(url);
  const ofType = (type: string) => secrets.filter((secret) => secret.metadata.labels?.[SECRET_TYPE_LABEL] === type);
  const exact = ofType("repository").find(
    (secret) => normalizeRepoUrl(read(secret, "url")) === wanted && read(secret, "password") !== "",
  );
  const prefixed = ofType("repo-creds")
    .filter((secret) => isBelow(wanted, normalizeRepoUrl(read(secret, "url"))))
    .toSorted((a, b) => read(b, "url").length - read(a, "url").length)[0];
  const secret = exact ?? prefixed;
  if (secret === undefined) return undefined;
  return {
    username: read(secret, "username"),
    password: read(secret, "password"),
    insecure: read(secret, "insecure") === "true",
  };
}
