/** What an AppProject allows: sources, destinations, kinds. Pure. */
import type { AppProject, ApplicationSource, Destination } from "./types.ts";
import type { ResourceKey } from "./resource-key.ts";
import { normalizeRepoUrl } from "../source/repository-credentials.ts";

/** `*` stands for any run of characters, as in Argo CD's globs. */
function globMatches(pattern: string, text: string): boolean {
  const expression = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${expression.join(".*")}$`).test(text);
}

/** A pattern with `!` denies; denial wins. */
function allowed(patterns: readonly string[], text: string): boolean {
  const denied = patterns.some((pattern) => pattern.startsWith("!") && globMatches(pattern.slice(1), text));
  return (
    !denied && patterns.some((pattern) => !pattern.startsWith("!") && (pattern === "*" || globMatches(pattern, text)))
  );
}

export const sourceAllowed = (project: AppProject, source: ApplicationSource): boolean => {
  const patterns = project.spec.sourceRepos ?? [];
  return allowed(patterns, source.repoURL) || allowed(patterns.map(normalizePattern), normalizeRepoUrl(source.repoURL));
};

const normalizePattern = (pattern: string): string =>
  pattern.includes("*")
    ? pattern
    : pattern.startsWith("!")
      ? `!${normalizeRepoUrl(pattern.slice(1))}`
      : normalizeRepoUrl(pattern);

export function destinationAllowed(project: AppProject, destination: Destination): boolean {
  const namespace = destination.namespace ?? "";
  const matches = (entry: Destination): boolean =>
    clusterMatches(entry, destination) && globMatches((entry.namespace ?? "").replace(/^!/, ""), namespace);
  const entries = project.spec.destinations ?? [];
  const denies = (entry: Destination): boolean =>
    entry.namespace?.startsWith("!") === true || entry.server?.startsWith("!") === true;
  if (entries.some((entry) => denies(entry) && matches(entry))) return false;
  return entries.some((entry) => !denies(entry) && matches(entry));
}

function clusterMatches(entry: Destination, destination: Destination): boolean {
  const server = destination.server ?? (destination.name === "in-cluster" ? IN_CLUSTER : "");
  const name = destination.name ?? (server === IN_CLUSTER ? "in-cluster" : "");
  if (entry.server !== undefined && entry.server !== "") return globMatches(entry.server.replace(/^!/, ""), server);
  return entry.name !== undefined && entry.name !== "" && globMatches(entry.name, name);
}

export const IN_CLUSTER = "https://kubernetes.default.svc";

const listed = (list: readonly { group: string; kind: string }[] | undefined, key: ResourceKey): boolean =>
  list?.some((entry) => globMatches(entry.group, key.group) && globMatches(entry.kind, key.kind)) === true;

/** Cluster-scoped kinds must be on the white list; namespaced ones may be anything that is not forbidden. */
export function kindAllowed(project: AppProject, key: ResourceKey, namespaced: boolean): boolean {
  const spec = project.spec;
  if (!namespaced) return listed(spec.clusterResourceWhitelist, key) && !listed(spec.clusterResourceBlacklist, key);
  const white = spec.namespaceResourceWhitelist;
  return (white === undefined || listed(white, key)) && !listed(spec.namespaceResourceBlacklist, key);
}
