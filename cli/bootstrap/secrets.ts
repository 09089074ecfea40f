/** Secrets that the components share: made once, at random, inside the cluster; never shown, never in Git. */
import { randomBytes } from "node:crypto";
import { isAlreadyExists, isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { SECRETS } from "@travelops/kube/client/resources";

export interface GitCredentials {
  username: string;
  password: string;
}

const decode = (object: KubeObject, key: string): string => {
  const data = object["data"] as Record<string, string> | undefined;
  return Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
};

const token = (): string => randomBytes(24).toString("base64url");

async function ensure(client: KubeClient, secret: KubeObject): Promise<KubeObject> {
  const { namespace = "", name = "" } = secret.metadata;
  try {
    return await client.get(SECRETS, namespace, name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    return await client.create(SECRETS, secret);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return client.get(SECRETS, namespace, name);
  }
}

const secret = (
  namespace: string,
  name: string,
  stringData: Record<string, string>,
  labels?: Record<string, string>,
): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace, name, ...(labels === undefined ? {} : { labels }) },
  type: "Opaque",
  stringData,
});

/** The in-cluster repository's credentials, its webhook's signature, and Argo CD's view of the repository. */
export async function ensureGitSecrets(client: KubeClient, repoUrl: string): Promise<GitCredentials> {
  const stored = await ensure(
    client,
    secret("gitops", "git-server-credentials", { username: "git", password: token() }),
  );
  const credentials = { username: decode(stored, "username"), password: decode(stored, "password") };
  const webhook = await ensure(client, secret("gitops", "git-server-webhook", { secret: token() }));
  await ensure(client, secret("openshift-gitops", "gitops-webhook", { secret: decode(webhook, "secret") }));
  await ensure(
    client,
    secret(
      "openshift-gitops",
      "repo-pattern",
      { type: "git", url: repoUrl, ...credentials },
      { "argocd.argoproj.io/secret-type": "repository" },
    ),
  );
  return credentials;
}

/** Credentials of a repository elsewhere, as Argo CD reads them. */
export async function ensureRemoteCredentials(
  client: KubeClient,
  url: string,
  credentials: GitCredentials,
): Promise<void> {
  await ensure(
    client,
    secret(
      "openshift-gitops",
      "repo-remote",
      { type: "git", url, ...credentials },
      { "argocd.argoproj.io/secret-type": "repository" },
    ),
  );
}
