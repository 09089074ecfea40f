/** Reads kubeconfig files. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import type * as yaml from "yaml";
import type { ClientConfig } from "./in-cluster.ts";

export { type ClientConfig, inClusterConfig } from "./in-cluster.ts";

interface Named {
  name?: string;
  [key: string]: unknown;
}

interface KubeconfigFile {
  "current-context"?: string;
  clusters?: Named[];
  contexts?: Named[];
  users?: Named[];
}

type Section = Readonly<Record<string, unknown>>;

const isSection = (value: unknown): value is Section =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a kubeconfig says about one context, as options of `httpsTransport`. Throws with the file and what is wrong. */
export function loadKubeconfig(path: string, context?: string): ClientConfig {
  const fail = (why: string): never => {
    throw new Error(`kubeconfig ${path}: ${why}`);
  };
  const file = readYaml(path, fail);
  const name = context ?? file["current-context"] ?? "";
  if (name === "") fail("it names no current-context; pass one with --context");
  const section = (list: Named[] | undefined, wanted: unknown, field: string): Section => {
    const found = list?.find((entry) => entry.name === wanted)?.[field];
    return isSection(found) ? found : fail(`it has no ${field} named ${JSON.stringify(wanted)}`);
  };
  const chosen = section(file.contexts, name, "context");
  const cluster = section(file.clusters, chosen["cluster"], "cluster");
  const user = chosen["user"] === undefined ? {} : section(file.users, chosen["user"], "user");
  return optionsOf(cluster, user, chosen, dirname(resolve(path)), fail);
}

function readYaml(path: string, fail: (why: string) => never): KubeconfigFile {
  // Loaded only here: a pod reads no kubeconfig and should not pay for a YAML parser.
  const { parse } = createRequire(import.meta.url)("yaml") as typeof yaml;
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  return isSection(value) ? (value as KubeconfigFile) : fail("it is no YAML mapping");
}

function optionsOf(
  cluster: Section,
  user: Section,
  context: Section,
  folder: string,
  fail: (why: string) => never,
): ClientConfig {
  const text = (section: Section, key: string): string | undefined => {
    const value = section[key];
    if (value === undefined || value === null || value === "") return undefined;
    return typeof value === "string" ? value : fail(`${key} is no text`);
  };
  const pem = (section: Section, key: string): Buffer | undefined => {
    const data = text(section, `${key}-data`);
    if (data !== undefined) return Buffer.from(data, "base64");
    const file = text(section, key);
    return file === undefined ? undefined : readFileSync(resolve(folder, file));
  };
  for (const unsupported of ["exec", "auth-provider", "username"]) {
    if (user[unsupported] !== undefined) {
      fail(
        `its user authenticates by ${unsupported}, which is not supported here; use a client certificate or a token`,
      );
    }
  }
  if (cluster["proxy-url"] !== undefined) fail("its cluster has a proxy-url, which is not supported here");
  const tokenFile = text(user, "tokenFile");
  return {
    server: text(cluster, "server") ?? fail("its cluster has no server"),
    ca: pem(cluster, "certificate-authority"),
    cert: pem(user, "client-certificate"),
    key: pem(user, "client-key"),
    token: text(user, "token"),
    tokenFile: tokenFile === undefined ? undefined : resolve(folder, tokenFile),
    insecure: cluster["insecure-skip-tls-verify"] === true,
    serverName: text(cluster, "tls-server-name"),
    namespace: text(context, "namespace") ?? "default",
  };
}
