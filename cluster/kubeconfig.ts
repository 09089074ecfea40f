/** The administrator's kubeconfig. */
import { rename, writeFile } from "node:fs/promises";

export interface KubeconfigFacts {
  readonly cluster: string;
  /** `https://127.0.0.1:PORT` */
  readonly server: string;
  readonly ca: string;
  readonly certificate: { readonly cert: string; readonly key: string };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

export async function writeKubeconfig(file: string, facts: KubeconfigFacts): Promise<void> {
  const { cluster } = facts;
  const user = `${cluster}-admin`;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": cluster,
    clusters: [{ name: cluster, cluster: { server: facts.server, "certificate-authority-data": base64(facts.ca) } }],
    users: [
      {
        name: user,
        user: {
          "client-certificate-data": base64(facts.certificate.cert),
          "client-key-data": base64(facts.certificate.key),
        },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user, namespace: "default" } }],
    preferences: {},
  };
  // JSON is YAML, and kubectl reads it.
  const staged = `${file}.${process.pid}`;
  await writeFile(staged, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  await rename(staged, file);
}
