/** The data directory's one kubeconfig, merged from each cluster's own; what the user put into it stays. */
import { readFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import type { DataDir } from "../data-dir.ts";
import { replaceFile } from "../replace-file.ts";
import { HUB } from "../run-state.ts";
import { withStateLock } from "../state-lock.ts";

interface Named {
  readonly name: string;
}

interface NamedContext extends Named {
  readonly context: { readonly cluster: string; readonly user: string; readonly namespace?: string };
}

export interface Kubeconfig {
  readonly apiVersion?: "v1";
  readonly kind?: "Config";
  readonly "current-context"?: string;
  readonly clusters?: readonly Named[];
  readonly users?: readonly Named[];
  readonly contexts?: readonly NamedContext[];
}

const replaced = <T extends Named>(list: readonly T[] = [], own: readonly T[] = []): T[] => [
  ...list.filter((each) => !own.some((other) => other.name === each.name)),
  ...own,
];

/** `merged` with all that `own` declares. A namespace that the user chose for a context stays chosen. */
export function mergeKubeconfig(merged: Kubeconfig, own: Kubeconfig): Kubeconfig {
  const contexts = own.contexts?.map((each) => {
    const namespace = merged.contexts?.find((other) => other.name === each.name)?.context.namespace;
    return namespace === undefined ? each : { ...each, context: { ...each.context, namespace } };
  });
  const all = replaced(merged.contexts, contexts);
  return {
    ...merged,
    clusters: replaced(merged.clusters, own.clusters),
    users: replaced(merged.users, own.users),
    contexts: all,
    "current-context": currentOf(merged["current-context"], all),
  };
}

/** `merged` without the context `name`, and without the cluster and user that no other context has. */
export function withoutContext(merged: Kubeconfig, name: string): Kubeconfig {
  const gone = merged.contexts?.find((each) => each.name === name)?.context;
  const contexts = merged.contexts?.filter((each) => each.name !== name) ?? [];
  return {
    ...merged,
    clusters: merged.clusters?.filter(
      (each) => each.name !== gone?.cluster || contexts.some(({ context }) => context.cluster === each.name),
    ),
    users: merged.users?.filter(
      (each) => each.name !== gone?.user || contexts.some(({ context }) => context.user === each.name),
    ),
    contexts,
    "current-context": currentOf(merged["current-context"], contexts),
  };
}

/** The user's choice while it exists, else the hub. */
const currentOf = (wanted: string | undefined, contexts: readonly Named[]): string =>
  [wanted, HUB].find((name) => contexts.some((each) => each.name === name)) ?? "";

const EMPTY: Kubeconfig = { apiVersion: "v1", kind: "Config" };

async function readKubeconfig(file: string): Promise<Kubeconfig> {
  const text = await readFile(file, "utf8").catch(() => "");
  try {
    const value = parse(text) as Kubeconfig | null;
    return typeof value === "object" && value !== null ? value : EMPTY;
  } catch {
    // It holds nothing that the clusters' own files do not.
    return EMPTY;
  }
}

/** Brings a running cluster's own file into the merged one. */
export async function publishKubeconfig(dir: DataDir, ownFile: string): Promise<void> {
  const own = await readKubeconfig(ownFile);
  await change(dir, (merged) => mergeKubeconfig(merged, own));
}

export const withdrawKubeconfig = (dir: DataDir, name: string): Promise<void> =>
  change(dir, (merged) => withoutContext(merged, name));

function change(dir: DataDir, by: (merged: Kubeconfig) => Kubeconfig): Promise<void> {
  return withStateLock(dir, async () =>
    replaceFile(dir.kubeconfig, stringify(by(await readKubeconfig(dir.kubeconfig)))),
  );
}
